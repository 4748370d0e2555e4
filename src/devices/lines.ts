import type { InterruptLine } from '../bus/mod.ts';

/** One wire that drives several inputs, as an ISA interrupt drives the 8259 and the IOAPIC. */
export function fanOut(...lines: readonly InterruptLine[]): InterruptLine {
  return {
    set(level) {
      for (const line of lines) line.set(level);
    },
  };
}

/**
 * A wire shared by several sources (wired OR), as PCI interrupts are. Whoever owns it saves and
 * restores `sources`, for restoring drives no wire.
 */
export class SharedLine {
  /** bit n set: source n asserts the wire */
  sources = 0;
  readonly #target: InterruptLine;

  constructor(target: InterruptLine) {
    this.#target = target;
  }

  /** The end of the wire for source `index`, 0 to 31. */
  source(index: number): InterruptLine {
    const mask = 1 << index;
    return {
      set: (level) => {
        const before = this.sources;
        this.sources = level ? before | mask : before & ~mask;
        if ((before !== 0) !== (this.sources !== 0)) this.#target.set(this.sources !== 0);
      },
    };
  }
}
