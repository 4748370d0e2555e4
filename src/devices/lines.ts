import type { InterruptLine } from '../bus/mod.ts';

/** One wire that drives several inputs, as an ISA interrupt drives the 8259 and the IOAPIC. */
export function fanOut(...lines: readonly InterruptLine[]): InterruptLine {
  return {
    set(level) {
      for (const line of lines) line.set(level);
    },
  };
}
