/** What a process has cost so far, from Linux's /proc (proc(5)). */
import { readFileSync } from 'node:fs';

/** /proc/PID/stat counts in hundredths of a second on every Linux. */
const TICKS_PER_SECOND = 100;
const FIELD_AFTER_NAME = 3;
const UTIME = 14;
const CSTIME = 17;

/** Processor time of all threads of a process and of its children that it waited for, in seconds. */
export function cpuSeconds(processId: number): number {
  const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const times = fields.slice(UTIME - FIELD_AFTER_NAME, CSTIME + 1 - FIELD_AFTER_NAME);
  return times.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

/** Memory that a process holds now, and the most it ever held, in MiB. */
export function residentMebibytes(processId: number): { now: number; most: number } {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { now: field('VmRSS'), most: field('VmHWM') };
}
