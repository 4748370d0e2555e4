import type { MachineEnd } from '../client/mod.ts';

/** Exit codes of `viv`, as the manual page promises them. */
export const EXIT_OK = 0;
/** something the user can mend, said in one sentence */
export const EXIT_USER = 1;
/** the guest's processor stopped on a triple fault */
export const EXIT_TRIPLE_FAULT = 3;
/** a fault of our own, with a dump file */
export const EXIT_FAULT = 70;
/** `--timeout` ran out */
export const EXIT_TIMEOUT = 124;
/** ended by a signal: this plus the signal's number, as shells have it */
export const EXIT_SIGNAL = 128;

/** The exit code for a machine that ended by itself, and what to tell its user about it, if anything. */
export function describeEnd(end: MachineEnd): { code: number; message?: string } {
  switch (end.kind) {
    case 'shutdown':
    case 'reset':
    case 'stopped':
      return { code: EXIT_OK };
    case 'debug-exit':
      return { code: end.code & 0xff };
    case 'triple-fault': {
      const rip = `0x${end.rip.toString(16).padStart(16, '0')}`;
      const message =
        `the guest's processor ${end.vcpu} stopped on a triple fault at RIP ${rip}; ` +
        `its last exception was ${end.exception}\n${end.dump.trimEnd()}`;
      return { code: EXIT_TRIPLE_FAULT, message };
    }
  }
}
