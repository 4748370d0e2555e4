/**
 * Runs every `*.bench.ts` or `*.fuzz.ts` of a folder, one process each: `run-each.ts FOLDER [WORD]`.
 * With WORD, only files whose path contains it. Options are handed on.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const [folder = '.', ...rest] = process.argv.slice(2);
const word = rest.find((argument) => !argument.startsWith('-')) ?? '';
const options = rest.filter((argument) => argument.startsWith('-'));
const files = globSync(`${folder}/**/*.{bench,fuzz}.ts`, { cwd: root })
  .filter((file) => file.includes(word))
  .sort();
if (files.length === 0) {
  console.error(`Nothing to run in ${folder}.`);
  process.exit(1);
}
let failed = false;
for (const file of files) {
  console.error(`# ${file}`);
  const { status } = spawnSync(process.execPath, [file, ...options], {
    cwd: root,
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
