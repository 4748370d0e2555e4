/**
 * Runs every program of one kind in a folder, one process each: `run-each.ts KIND FOLDER [WORD]`.
 * KIND is `fuzz` or `bench`; the files are named `KIND.ts` or `something.KIND.ts`. With WORD, only
 * those whose path contains it. Everything from the first option on is handed to each of them.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const [kind = '', folder = '.', ...rest] = process.argv.slice(2);
const word = rest[0]?.startsWith('-') === false ? rest.shift() : '';
const files = globSync([`${folder}/**/${kind}.ts`, `${folder}/**/*.${kind}.ts`], { cwd: root })
  .filter((file) => file.includes(word ?? ''))
  .sort();
if (files.length === 0) {
  console.error(`Nothing to run in ${folder}.`);
  process.exit(1);
}
let failed = false;
for (const file of files) {
  console.error(`# ${file}`);
  const { status } = spawnSync(process.execPath, [file, ...rest], { cwd: root, stdio: 'inherit' });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
