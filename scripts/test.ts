/**
 * Runs the tests: every `*.test.ts` in `src` and `test` but those of whole systems, which take
 * minutes, or the files and folders named. Options are handed to Node's test runner.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const named = process.argv.slice(2);
const options = named.filter((argument) => argument.startsWith('-'));
const places = named.filter((argument) => !argument.startsWith('-'));
const files = (places.length > 0 ? places : ['src', 'test'])
  .flatMap((place) =>
    place.endsWith('.ts') ? [place] : globSync(`${place}/**/*.test.ts`, { cwd: root }),
  )
  .filter((file) => places.length > 0 || !file.startsWith(join('test', 'systems')))
  .sort();
if (files.length === 0) {
  console.error('No tests found.');
  process.exit(1);
}
const times = mkdtempSync(join(tmpdir(), 'vivarium-test-times-'));
const helper = (name: string) => join(root, 'scripts', 'testing', name);
const { status } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    `--import=${helper('processor-time.ts')}`,
    `--test-concurrency=${availableParallelism()}`,
    `--test-reporter=${helper('reporter.ts')}`,
    '--test-reporter-destination=stdout',
    ...options,
    '--test',
    ...files,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      VIVARIUM_TEST_TIMES: times,
      // Hundreds of processes load the same sources: what Node makes of them is kept.
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'vivarium', 'compile'),
    },
  },
);
rmSync(times, { recursive: true, force: true });
process.exit(status ?? 1);
