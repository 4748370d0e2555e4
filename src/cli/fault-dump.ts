import { writeFileSync } from 'node:fs';
import { arch, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineFault } from '../client/mod.ts';
import { version } from './version.ts';

/**
 * Writes what is known about a fault of our own to a file that its user can send us; returns the
 * sentence to print. The file holds versions, arguments and stacks, no guest memory.
 */
export function dumpFault(error: unknown, arguments_: readonly string[]): string {
  const fault = error instanceof Error ? error : new Error(String(error));
  const detail = (fault as Partial<MachineFault>).detail ?? fault.stack ?? fault.message;
  const stamp = new Date().toISOString().replace(/[:.]/g, '-');
  const path = join(tmpdir(), `vivarium-fault-${stamp}-${process.pid}.txt`);
  const text = [
    `Vivarium ${version()}, Node ${process.version}, ${platform()} ${release()} ${arch()}`,
    `viv ${arguments_.join(' ')}`,
    '',
    detail,
    '',
  ].join('\n');
  const sentence = `this is a fault of Vivarium itself: ${fault.message}`;
  try {
    writeFileSync(path, text, { mode: 0o600 });
    return `${sentence}\nviv: details are in ${path}`;
  } catch {
    return `${sentence}\n${text}`;
  }
}
