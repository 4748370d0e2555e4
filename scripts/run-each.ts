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
const all = globSync([`${folder}/**/${kind}.ts`, `${folder}/**/*.${kind}.ts`], {
  cwd: root,
}).sort();
if (word === '' && rest.some((each) => each === '--help' || each === '-h')) {
  const lines = all.map((file) => `  ${file}`).join('\n');
  console.log(
    `Usage: npm run ${kind} [-- [WORD] [options]]\n\n${lines}\n\n` +
      'WORD picks those whose path contains it; WORD --help tells their options.',
  );
  process.exit(0);
}
const files = all.filter((file) => file.includes(word ?? ''));
if (files.length === 0) {
  console.error(`Nothing to run in ${folder}${word ? ` with "${word}" in its path` : ''}.`);
  process.exit(1);
}
let failed = false;
for (const file of files) {
  console.error(`# ${file}`);
  const { status } = spawnSync(process.execPath, [file, ...rest], { cwd: root, stdio: 'inherit' });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
