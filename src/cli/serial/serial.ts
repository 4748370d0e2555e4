import type { MachineConsole } from '../../client/mod.ts';

/** Why the outer end of the serial line wants the machine to stop. */
export type Departure =
  /** the person typed the keys that leave */
  | 'left'
  /** whatever took the guest's output takes no more */
  | 'output-closed'
  /** the terminal is gone */
  | 'hang-up';

/** The outer end of the guest's serial line, as `--serial` names it. */
export interface Serial {
  /** Connects the guest's console. Called once, before the machine starts. */
  connect(console: MachineConsole): void;
  /** Resolves when this end wants the machine to stop; may never. */
  readonly departure: Promise<Departure>;
  /** True unless the guest's output ended in the middle of a line on the terminal. */
  readonly isAtLineStart: boolean;
  /** Resolves when all the guest printed is written; call when the machine has ended. */
  drain(): Promise<void>;
  /** Gives everything back. Harmless when done before. */
  close(): void;
}
