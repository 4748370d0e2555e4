/** What a file of the archive says of its module, as numbers and bytes: hundreds are read when a machine starts. */
import type { KeptBatch, KeptHandlers, KeptRegion } from '../../../engine/mod.ts';

/** What a module is. */
export type Description =
  | { readonly kind: 'regions'; readonly regions: KeptBatch['regions'] }
  | {
      readonly kind: 'handlers';
      readonly keys: KeptHandlers['keys'];
      readonly indexes: KeptHandlers['indexes'];
    };

export interface PackedDescription {
  readonly kind: number;
  readonly numbers: Int32Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const KINDS = ['regions', 'handlers'] as const;

export function packDescription(what: Description): PackedDescription {
  const kind = KINDS.indexOf(what.kind);
  if (what.kind === 'handlers')
    return { kind, numbers: what.indexes, bytes: new Uint8Array(what.keys.buffer) };
  const numbers: number[] = [what.regions.length];
  const bytes: Uint8Array[] = [];
  for (const region of what.regions) packRegion(region, numbers, bytes);
  return {
    kind,
    numbers: Int32Array.from(numbers),
    bytes: new Uint8Array(Buffer.concat(bytes)),
  };
}

/** Throws when the numbers make no sense. */
export function unpackDescription({ kind, numbers, bytes }: PackedDescription): Description {
  if (KINDS[kind] === 'handlers') {
    const keys = new Float64Array(bytes.slice().buffer);
    if (keys.length !== numbers.length) throw new Error('damaged');
    return { kind: 'handlers', keys, indexes: numbers };
  }
  if (KINDS[kind] !== 'regions') throw new Error('damaged');
  const reader = new PackReader(numbers, bytes);
  const regions = reader.list(() => unpackRegion(reader));
  return { kind: 'regions', regions };
}

function packRegion(region: KeptRegion | undefined, numbers: number[], bytes: Uint8Array[]): void {
  if (region === undefined) {
    numbers.push(-1);
    return;
  }
  const { offset, head, pages, code, exits, generation, isHot } = region;
  numbers.push(offset, head.length, generation, isHot ? 1 : 0, pages.length, ...pages, code.length);
  bytes.push(head);
  for (const part of code) {
    numbers.push(part.page, part.first, part.bytes.length);
    bytes.push(part.bytes);
  }
  numbers.push(exits.length);
  for (const number of exits) numbers.push(number);
}

function unpackRegion(reader: PackReader): KeptRegion | undefined {
  const offset = reader.number();
  if (offset === -1) return undefined;
  const head = reader.bytes(reader.number());
  const generation = reader.number();
  const isHot = reader.number() === 1;
  const pages = reader.list(() => reader.number());
  const code = reader.list(() => ({
    page: reader.number(),
    first: reader.number(),
    bytes: reader.bytes(reader.number()),
  }));
  const exits = reader.numbers(reader.number());
  return { offset, head, pages, code, exits, generation, isHot };
}

class PackReader {
  readonly #numbers: Int32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #number = 0;
  #byte = 0;

  constructor(numbers: Int32Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>) {
    this.#numbers = numbers;
    this.#bytes = bytes;
  }

  number(): number {
    const number = this.#numbers[this.#number++];
    if (number === undefined) throw new Error('damaged');
    return number;
  }

  numbers(count: number): Int32Array<ArrayBuffer> {
    const from = this.#number;
    this.#number += count;
    if (count < 0 || this.#number > this.#numbers.length) throw new Error('damaged');
    return this.#numbers.subarray(from, this.#number);
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    const from = this.#byte;
    this.#byte += count;
    if (count < 0 || this.#byte > this.#bytes.length) throw new Error('damaged');
    return this.#bytes.subarray(from, this.#byte);
  }

  list<T>(read: () => T): T[] {
    const count = this.number();
    if (count < 0 || count > this.#numbers.length) throw new Error('damaged');
    return Array.from({ length: count }, read);
  }
}
