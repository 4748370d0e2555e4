/**
 * How every stateful thing saves and restores itself: a named, versioned section of plain data.
 *
 * `save` returns structured-cloneable data (numbers, bigints, strings, booleans, arrays, typed arrays,
 * plain objects with named fields). `restore` receives data from an untrusted snapshot: it checks
 * everything before it changes anything, and throws a `VivariumError` with code `snapshot-invalid`.
 */
export interface Persist<State = unknown> {
  /** unique within its parent, e.g. `ioapic` */
  readonly name: string;
  /** increases by one whenever the shape of `State` changes */
  readonly version: number;
  save(): State;
  restore(state: unknown): void;
}

/** Something that owns a section of a snapshot. */
export interface Persistent<State = unknown> {
  readonly persist: Persist<State>;
}
