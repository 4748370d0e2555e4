/**
 * Loaded into each test file's process: at its end, leaves for
 * the report how long it took, by the clock and on a processor.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What Linux counts in /proc by, per second (USER_HZ). */
const TICKS = 100;

const directory = process.env['VIVARIUM_TEST_TIMES'];
const file = process.argv[1];
if (directory !== undefined && file?.endsWith('.test.ts') && process.platform === 'linux') {
  process.on('exit', () => {
    // proc(5): the fields behind the name in parentheses; 14 to 17 are utime, stime, cutime, cstime.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const wall = performance.now() / 1000;
    const text = `${relative(process.cwd(), file)}\n${wall}\n${ticks / TICKS}\n`;
    writeFileSync(join(directory, String(process.pid)), text);
  });
}
