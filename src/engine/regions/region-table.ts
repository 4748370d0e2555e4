import { assert } from '../../util/mod.ts';
import { PSEUDO } from '../handlers/runtime.ts';
import { RECORD } from '../record.ts';
import { EXIT_ENTRY } from './exit-entry.ts';

/**
 * What a region must know of the machine it runs in, in linear memory, so that its code need not: the same code serves
 * wherever the same guest code lies, in this machine or another. Its function's own value says where the table is.
 *
 *   +0   u32 table index of the root instruction's own handler
 *   +4   u32 number of its neighbour pages
 *   +8   u64 the epoch of the TLB in which they were last found in place; 0 for never
 *   +16  u64 ... for this RIP of the base page
 *   +24  neighbour pages, 8 bytes each: i32 number relative to the base page, u32 frame
 *   +E   entries, 16 bytes each: see EXIT_ENTRY; E is `entriesAt`
 */
export const REGION_TABLE = {
  handler: 0,
  count: 4,
  epoch: 8,
  ripBase: 16,
  pages: 24,
} as const;

/** A neighbour page in a region's table. */
export const NEIGHBOUR = { bytes: 8, page: 0, frame: 4 } as const;

/** Where the entries of a table begin, for a region of so many pages besides its base page. */
export function entriesAt(neighbours: number): number {
  return (REGION_TABLE.pages + NEIGHBOUR.bytes * neighbours + 15) & ~15;
}

/** What an entry is for. */
export const EXIT_KIND = {
  /** goes on with the record at `at` */
  record: 0,
  /** goes on with the own handler of the instruction at `at`, which the region has begun */
  handler: 1,
  /** a helper of the instruction at `at` is called, and may not come back */
  helper: 2,
  /** no exit: in place of the record, the profile of the indirect jump at `at` */
  profile: 3,
} as const;

/** An entry, by what the guest's code says alone. */
export interface RegionExit {
  readonly kind: (typeof EXIT_KIND)[keyof typeof EXIT_KIND];
  /** offset from the base page */
  readonly at: number;
  /** of the instruction that calls a helper */
  readonly length?: number;
  readonly left: number;
}

/** Numbers of a packed exit: kind, at, length, left. */
const PACKED = 4;

/** Exits as numbers: to be kept, sent, and put into tables. */
export function packExits(exits: readonly RegionExit[]): Int32Array<ArrayBuffer> {
  const packed = new Int32Array(exits.length * PACKED);
  for (const [i, { kind, at, length = 0, left }] of exits.entries())
    packed.set([kind, at, length, left], i * PACKED);
  return packed;
}

function* unpackExits(packed: Int32Array): Iterable<RegionExit> {
  for (let i = 0; i < packed.length; i += PACKED) {
    const [kind, at, length, left] = packed.subarray(i, i + PACKED) as unknown as [
      RegionExit['kind'],
      ...[number, number, number],
    ];
    yield { kind, at, length, left };
  }
}

/** The offsets of the indirect jumps among packed exits. */
export function profiledJumps(packed: Int32Array): number[] {
  return [...unpackExits(packed)]
    .filter(({ kind }) => kind === EXIT_KIND.profile)
    .map(({ at }) => at);
}

/** What execution may go on with: a record, and what runs there if not its own handler. */
export interface ExitTarget {
  readonly record: number;
  readonly handler: number;
}

/** Where things are in this machine. `at` counts from the base page. */
export interface RegionPlaces {
  /** table index of the root instruction's own handler */
  readonly rootHandler: number;
  /** pages besides the base page, by their numbers relative to it, and their frames */
  readonly neighbours: readonly (readonly [page: number, frame: number])[];
  /** record to go on with at `at`; 0 when nothing is decoded there */
  record(at: number): number;
  /** record of the instruction at `at` itself, behind what guards it, and its own handler; undefined as above */
  instruction(at: number): ExitTarget | undefined;
  /** profile of the indirect jump at `at` */
  profile(at: number): number;
}

const PAGE_SHIFT = 12;
const IN_PAGE = 0xfff;
const ROOM = 16 * 2 ** 20;
/** A region's table is smaller than this. */
const MOST = 2 ** 16;
/** Tables are this many bytes, or a multiple. */
const GRAIN = 256;

/** A table in use. */
export interface TablePlace {
  readonly at: number;
  readonly bytes: number;
}

/** Room for the tables of the regions that one thread makes. */
export class RegionTables {
  readonly #base: number;
  readonly #view: DataView;
  #next: number;
  /** tables of dropped regions, by size */
  readonly #free = new Map<number, number[]>();

  static readonly bytes = ROOM;

  /** @param base linear offset of `bytes` bytes of `memory` */
  constructor(memory: ArrayBufferLike, base: number) {
    this.#base = base;
    this.#next = base;
    this.#view = new DataView(memory);
  }

  /** Whether any region's table will fit. */
  get hasRoom(): boolean {
    return this.#next + MOST <= this.#base + ROOM;
  }

  /** Writes the table of a region with packed `exits`, when there is room. */
  add(exits: Int32Array, places: RegionPlaces): TablePlace {
    const entries = resolve(exits, places);
    const first = entriesAt(places.neighbours.length);
    const records = entries.filter(({ to }) => to === undefined).length;
    const bytes = first + entries.length * EXIT_ENTRY.bytes + records * RECORD.bytes;
    const table = this.#take(bytes);
    this.#write(table, entries, places);
    return table;
  }

  #write(table: TablePlace, entries: readonly Resolved[], places: RegionPlaces): void {
    const first = entriesAt(places.neighbours.length);
    const recordsAt = first + entries.length * EXIT_ENTRY.bytes;
    const view = this.#view;
    view.setUint32(table.at + REGION_TABLE.handler, places.rootHandler, true);
    view.setUint32(table.at + REGION_TABLE.count, places.neighbours.length, true);
    view.setBigUint64(table.at + REGION_TABLE.epoch, 0n, true);
    for (const [i, [page, frame]] of places.neighbours.entries()) {
      const at = table.at + REGION_TABLE.pages + NEIGHBOUR.bytes * i;
      view.setInt32(at + NEIGHBOUR.page, page, true);
      view.setUint32(at + NEIGHBOUR.frame, frame, true);
    }
    let entry = table.at + first;
    let record = table.at + recordsAt;
    for (const { exit, to } of entries) {
      this.#addEntry(entry, exit, to ?? { record, handler: 0 });
      entry += EXIT_ENTRY.bytes;
      if (to !== undefined) continue;
      this.#addRecord(record, exit);
      record += RECORD.bytes;
    }
  }

  #take(used: number): TablePlace {
    const bytes = Math.ceil(used / GRAIN) * GRAIN;
    let at = this.#free.get(bytes)?.pop();
    if (at === undefined) {
      assert(bytes <= MOST && this.hasRoom, 'a region has few exits');
      at = this.#next;
      this.#next += bytes;
    }
    return { at, bytes };
  }

  #addEntry(entry: number, { at, left }: RegionExit, to: ExitTarget): void {
    this.#view.setUint32(entry + EXIT_ENTRY.record, to.record, true);
    this.#view.setUint32(entry + EXIT_ENTRY.handler, to.handler, true);
    this.#view.setInt32(entry + EXIT_ENTRY.left, left, true);
    this.#view.setInt32(entry + EXIT_ENTRY.page, at >> PAGE_SHIFT, true);
  }

  /**
   * A record that says where an instruction is: helpers ask for no more, and whoever goes on with it finds out what is
   * decoded there.
   */
  #addRecord(record: number, { at, length = 0 }: RegionExit): void {
    for (let word = 0; word < RECORD.bytes; word += 4) this.#view.setUint32(record + word, 0, true);
    this.#view.setUint32(record + RECORD.handler, PSEUDO.next, true);
    this.#view.setUint16(record + RECORD.start, at & IN_PAGE, true);
    this.#view.setUint8(record + RECORD.length, length);
  }

  /** Takes back a table. Its contents stay until a new table needs the place. */
  remove({ at, bytes }: TablePlace): void {
    const list = this.#free.get(bytes);
    if (list === undefined) this.#free.set(bytes, [at]);
    else list.push(at);
  }

  clear(): void {
    this.#next = this.#base;
    this.#free.clear();
  }
}

interface Resolved {
  readonly exit: RegionExit;
  readonly to: ExitTarget | undefined;
}

function resolve(exits: Int32Array, places: RegionPlaces): Resolved[] {
  return [...unpackExits(exits)].map((exit) => ({ exit, to: targetOf(exit, places) }));
}

/** What the entry of an exit names; undefined when it needs a record of its own. */
function targetOf({ kind, at }: RegionExit, places: RegionPlaces): ExitTarget | undefined {
  switch (kind) {
    case EXIT_KIND.profile:
      return { record: places.profile(at), handler: 0 };
    case EXIT_KIND.handler:
      return places.instruction(at);
    case EXIT_KIND.record: {
      const record = places.record(at);
      return record === 0 ? undefined : { record, handler: 0 };
    }
    default:
      return undefined;
  }
}
