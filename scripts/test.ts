/**
 * Runs the tests: every `*.test.ts` in `src` and `test`, or the files and folders named. Those of whole
 * systems, in `test/systems`, take minutes each and run only when that folder is named.
 * `--test-name-pattern=WORD` picks tests by their names.
 */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';
import { report } from './testing/report.ts';

/** A file that takes longer is ended, and has failed; seconds. */
const PATIENCE = { tests: 1200, systems: 5400 };

/** What takes longest starts first, so that no core idles at the end. */
const LONGEST = ['test/guests/default-guest', 'test/oracle/oracle', 'test/guests/', 'test/'];

const root = resolve(import.meta.dirname, '..');
process.chdir(root);
const { values, positionals } = parseArgs({
  options: { 'test-name-pattern': { type: 'string', multiple: true } },
  allowPositionals: true,
});
const systems = join('test', 'systems');
const files = (positionals.length > 0 ? positionals : ['src', 'test'])
  .flatMap((place) => (place.endsWith('.ts') ? [place] : globSync(`${place}/**/*.test.ts`)))
  .filter((file) => positionals.length > 0 || !file.startsWith(systems))
  .sort((left, right) => rank(left) - rank(right) || (left < right ? -1 : 1));
if (files.length === 0) {
  console.error('No tests found.');
  process.exit(1);
}

function rank(file: string): number {
  const at = LONGEST.findIndex((start) => file.startsWith(start));
  return at < 0 ? LONGEST.length : at;
}

const times = mkdtempSync(join(tmpdir(), 'vivarium-test-times-'));
process.on('exit', () => rmSync(times, { recursive: true, force: true }));
process.env['VIVARIUM_TEST_TIMES'] = times;
// Hundreds of processes load the same sources: what Node makes of them is kept.
process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/vivarium/compile');

// Tests find no code that others left, and leave none.
process.env['VIVARIUM_CODE_ARCHIVE'] ??= 'none';

const isSystem = files.some((file) => file.startsWith(systems));
process.env['VIVARIUM_TEST_PATIENCE'] = String(isSystem ? PATIENCE.systems : PATIENCE.tests);
const events = run({
  files,
  concurrency: availableParallelism(),
  execArgv: [
    '--disable-warning=ExperimentalWarning',
    `--import=${join(root, 'scripts/testing/each-file.ts')}`,
  ],
  testNamePatterns: values['test-name-pattern'] ?? [],
});
events.on('test:fail', () => {
  process.exitCode = 1;
});
report(events, times).pipe(process.stdout);
