import { assert } from '../../util/mod.ts';

/**
 * What a region must know of the machine it runs in, in linear memory, so that its code need not: the same code serves
 * wherever the same guest code lies, in this machine or another. Its function's own global says where the table is.
 *
 *   +0   u32 table index of the root instruction's own handler
 *   +4   u32 frame of each neighbour page, in the order of RegionDraft.pages
 *   +E   entries, 16 bytes each: see EXIT_ENTRY; E is `entriesAt`
 */
export const REGION_TABLE = { handler: 0, frames: 4 } as const;

/** Where the entries of a table begin, for a region of so many pages besides its base page. */
export function entriesAt(neighbours: number): number {
  return (REGION_TABLE.frames + 4 * neighbours + 15) & ~15;
}

/**
 * One way out of a region: what the shared end of the region needs to know of it. Sites that leave push the
 * number of their entry and branch, nothing more: most of them are never taken, and code for them is what
 * makes a region long.
 */
export const EXIT_ENTRY = {
  bytes: 16,
  /** u32 record to go on with; 0: at the RIP that the region holds */
  record: 0,
  /** u32 table index of what runs there; 0: whatever the record says */
  handler: 4,
  /** i32 bytes of budget to give back: of instructions charged and not run */
  left: 8,
  /** u8 recipe of the flags */
  recipe: 12,
  /** i32 from the recipe on: above its eight bits the page of the record, relative to the base page */
  page: 12,
} as const;

/** What an entry is for. */
export const EXIT_KIND = {
  /** goes on at the RIP that the region holds */
  rip: 0,
  /** goes on with the record at `at` */
  record: 1,
  /** goes on with the own handler of the instruction at `at`, which the region has begun */
  handler: 2,
  /** a helper of the instruction at `at` is called, and may not come back */
  helper: 3,
  /** no exit: in place of the record, the profile of the indirect jump at `at` */
  profile: 4,
} as const;

/** An entry, by what the guest's code says alone. */
export interface RegionExit {
  readonly kind: (typeof EXIT_KIND)[keyof typeof EXIT_KIND];
  /** offset from the base page */
  readonly at: number;
  readonly left: number;
  readonly recipe: number;
}

/** Numbers of a packed exit: kind, at, left, recipe. */
const PACKED = 4;

/** Exits as numbers: to be kept, sent, and put into tables. */
export function packExits(exits: readonly RegionExit[]): Int32Array<ArrayBuffer> {
  const packed = new Int32Array(exits.length * PACKED);
  exits.forEach(({ kind, at, left, recipe }, i) =>
    packed.set([kind, at, left, recipe], i * PACKED),
  );
  return packed;
}

/** Where things are in this machine. `at` counts from the base page. */
export interface RegionPlaces {
  /** offset of the region's first instruction */
  readonly root: number;
  /** frames of the neighbour pages, in order */
  readonly frames: readonly number[];
  /** record to go on with at `at` */
  record(at: number): number;
  /** record of the instruction at `at` itself, behind what guards it, and its own handler */
  instruction(at: number): { readonly record: number; readonly handler: number };
  /** profile of the indirect jump at `at` */
  profile(at: number): number;
}

const PAGE_SHIFT = 12;
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
    const first = entriesAt(places.frames.length);
    const used = first + (exits.length / PACKED) * EXIT_ENTRY.bytes;
    const bytes = Math.ceil(used / GRAIN) * GRAIN;
    let at = this.#free.get(bytes)?.pop();
    if (at === undefined) {
      assert(bytes <= MOST && this.hasRoom, 'a region has few exits');
      at = this.#next;
      this.#next += bytes;
    }
    const view = this.#view;
    view.setUint32(at + REGION_TABLE.handler, places.instruction(places.root).handler, true);
    for (const [i, frame] of places.frames.entries())
      view.setUint32(at + REGION_TABLE.frames + 4 * i, frame, true);
    for (let i = 0; i < exits.length; i += PACKED)
      this.#addEntry(at + first + (i / PACKED) * EXIT_ENTRY.bytes, exits, i, places);
    return { at, bytes };
  }

  #addEntry(entry: number, exits: Int32Array, i: number, places: RegionPlaces): void {
    const [kind, at, left, recipe] = exits.subarray(i, i + PACKED) as unknown as number[] as [
      RegionExit['kind'],
      number,
      number,
      number,
    ];
    let [record, handler] = [0, 0];
    if (kind === EXIT_KIND.record) record = places.record(at);
    else if (kind === EXIT_KIND.profile) record = places.profile(at);
    else if (kind !== EXIT_KIND.rip) ({ record, handler } = places.instruction(at));
    const page = at >> PAGE_SHIFT;
    this.#view.setUint32(entry + EXIT_ENTRY.record, record, true);
    this.#view.setUint32(entry + EXIT_ENTRY.handler, handler, true);
    this.#view.setInt32(entry + EXIT_ENTRY.left, left, true);
    assert((page << 8) >> 8 === page, 'a region reaches less than 32 GiB');
    this.#view.setInt32(entry + EXIT_ENTRY.page, (page << 8) | recipe, true);
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
