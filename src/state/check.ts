/**
 * Small checkers that turn untrusted data from a snapshot into plain typed state.
 * Every failure is a `VivariumError` with code `snapshot-invalid` that names the path of the field.
 */
import { VivariumError } from '../util/mod.ts';
import type { Persist } from './persist.ts';

/** Returns `value` as a fresh, checked `T`, or throws. `path` names the value in the message. */
export type Checker<T> = (value: unknown, path: string) => T;

/** The type that a checker yields. */
export type Checked<C> = C extends Checker<infer T> ? T : never;

/** Throws the error of a snapshot that cannot be restored. */
export function invalidState(path: string, expected: string): never {
  throw new VivariumError('snapshot-invalid', `Snapshot field ${path} is not ${expected}.`);
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Checker<number> {
  return (value, path) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    return invalidState(path, `a whole number from ${min} to ${max}`);
  };
}

export const u8 = integer(0, 0xff);
export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffff_ffff);

/** A finite number: a point of guest time, or a signed offset. */
export const finite: Checker<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : invalidState(path, 'a number');

export const boolean: Checker<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : invalidState(path, 'true or false');

/** An unsigned 64-bit number. */
export const u64: Checker<bigint> = (value, path) =>
  typeof value === 'bigint' && value >= 0n && value < 1n << 64n
    ? value
    : invalidState(path, 'an unsigned 64-bit number');

/** Exactly one of the given values. */
export function oneOf<const T extends string | number | boolean>(
  ...values: readonly T[]
): Checker<T> {
  return (value, path) => {
    for (const candidate of values) if (candidate === value) return candidate;
    return invalidState(path, `one of ${values.join(', ')}`);
  };
}

/** `undefined`, or what `check` accepts. */
export function optional<T>(check: Checker<T>): Checker<T | undefined> {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

/** An array of `min` to `max` elements. */
export function list<T>(check: Checker<T>, min: number, max: number = min): Checker<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      return invalidState(path, `a list of ${min === max ? min : `${min} to ${max}`} elements`);
    }
    return Array.from(value, (element, index) => check(element, `${path}[${index}]`));
  };
}

/** A copy of a `Uint8Array` of `min` to `max` bytes. */
export function bytes(min: number, max: number = min): Checker<Uint8Array<ArrayBuffer>> {
  return (value, path) =>
    value instanceof Uint8Array && value.length >= min && value.length <= max
      ? new Uint8Array(value)
      : invalidState(path, `${min === max ? min : `${min} to ${max}`} bytes`);
}

/** A copy of a `Uint32Array` of exactly `length` words. */
export function words(length: number): Checker<Uint32Array<ArrayBuffer>> {
  return (value, path) =>
    value instanceof Uint32Array && value.length === length
      ? new Uint32Array(value)
      : invalidState(path, `${length} 32-bit words`);
}

/** A plain object with exactly the named fields (optional ones may be absent). */
export function record<Shape extends Record<string, Checker<unknown>>>(
  shape: Shape,
): Checker<{ [Key in keyof Shape]: Checked<Shape[Key]> }> {
  const names = Object.keys(shape);
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return invalidState(path, 'an object');
    }
    const source = value as Record<string, unknown>;
    for (const name of Object.keys(source)) {
      if (!Object.hasOwn(shape, name)) return invalidState(`${path}.${name}`, 'a known field');
    }
    const result: Record<string, unknown> = {};
    for (const name of names) {
      const field = Object.hasOwn(source, name) ? source[name] : undefined;
      result[name] = (shape[name] as Checker<unknown>)(field, `${path}.${name}`);
    }
    return result as { [Key in keyof Shape]: Checked<Shape[Key]> };
  };
}

/** What `check` accepts, if `holds` too; `expected` completes "is not ...". */
export function refine<T>(
  check: Checker<T>,
  holds: (value: T) => boolean,
  expected: string,
): Checker<T> {
  return (value, path) => {
    const checked = check(value, path);
    return holds(checked) ? checked : invalidState(path, expected);
  };
}

/** Builds a `Persist` whose `load` sees only checked state, after all of it was checked. */
export function section<State>(parts: {
  readonly name: string;
  readonly version: number;
  readonly check: Checker<State>;
  readonly save: () => State;
  readonly load: (state: State) => void;
}): Persist<State> {
  const { name, version, check, save, load } = parts;
  return {
    name,
    version,
    save,
    restore(state) {
      load(check(state, name));
    },
  };
}
