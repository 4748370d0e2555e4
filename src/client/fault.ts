/** A fault of Vivarium itself, not of its user or of a guest. */
export class MachineFault extends Error {
  /** where it happened, and the machine's counters at that time */
  readonly detail: string;

  constructor(message: string, detail: string) {
    super(message);
    this.name = 'MachineFault';
    this.detail = detail;
  }
}
