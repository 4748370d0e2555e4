/** Stops on a broken invariant of our own. Never used for anything a guest, file or user can cause. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Vivarium internal error: ${message}`);
}

/** Marks a branch that types prove impossible. */
export function unreachable(value: never): never {
  throw new Error(`Vivarium internal error: unexpected ${String(value)}`);
}
