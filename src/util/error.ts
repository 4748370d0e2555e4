/** A failure that a person can mend: one sentence that says what is wrong and what to do. */
export class VivariumError extends Error {
  /** stable, machine-readable reason, e.g. `kernel-not-found` */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'VivariumError';
    this.code = code;
  }
}
