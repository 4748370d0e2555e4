/**
 * Loaded into the process of each test file. When its tests are done, it leaves for the report how long
 * they took, by the clock and on a processor. A process that does not end then has left something open,
 * a timer or a socket: that is a failure, told here, and not a run that stands still.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after } from 'node:test';

/** What Linux counts in /proc by, per second (USER_HZ). */
const TICKS = 100;
/** Time to end in, once the tests are done; milliseconds. */
const GRACE = 20_000;

const directory = process.env['VIVARIUM_TEST_TIMES'];
const patience = Number(process.env['VIVARIUM_TEST_PATIENCE'] ?? 1200) * 1000;
const path = process.argv[1];
if (directory !== undefined && path?.endsWith('.test.ts')) watch(relative(process.cwd(), path));

function watch(file: string): void {
  setTimeout(() => giveUp(`${file} took longer than ${patience / 1000} seconds`), patience).unref();
  after(() => {
    setTimeout(() => giveUp(`the tests of ${file} are done, but it does not end`), GRACE).unref();
  });
  if (process.platform === 'linux') process.on('exit', () => leaveTimes(file));
}

function giveUp(why: string): never {
  console.error(`${why}; still open: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}

function leaveTimes(file: string): void {
  // proc(5): the fields behind the name in parentheses; 14 to 17 are utime, stime, cutime, cstime.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const wall = performance.now() / 1000;
  const text = `${file}\n${wall}\n${ticks / TICKS}\n`;
  writeFileSync(join(directory as string, String(process.pid)), text);
}
