import { readFileSync } from 'node:fs';

/** What a process may have open where nothing says otherwise. */
const USUAL_LIMIT = 1024;

/** How many descriptors this process may have open: RLIMIT_NOFILE, from proc(5). */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? USUAL_LIMIT : Math.min(2 ** 20, Number(soft));
  } catch {
    return USUAL_LIMIT;
  }
}
