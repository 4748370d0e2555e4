/** Runs the tests: every `*.test.ts` in `src` and `test`, or the files and folders named. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const named = process.argv.slice(2);
const options = named.filter((argument) => argument.startsWith('-'));
const places = named.filter((argument) => !argument.startsWith('-'));
const files = (places.length > 0 ? places : ['src', 'test'])
  .flatMap((place) =>
    place.endsWith('.ts') ? [place] : globSync(`${place}/**/*.test.ts`, { cwd: root }),
  )
  .sort();
if (files.length === 0) {
  console.error('No tests found.');
  process.exit(1);
}
const { status } = spawnSync(
  process.execPath,
  ['--disable-warning=ExperimentalWarning', ...options, '--test', ...files],
  { cwd: root, stdio: 'inherit' },
);
process.exit(status ?? 1);
