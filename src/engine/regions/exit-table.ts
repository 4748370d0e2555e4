import { assert } from '../../util/mod.ts';

/**
 * One way out of a region, in linear memory: what the shared end of the region needs to know of it. Sites
 * that leave push the number of their entry and branch, nothing more: most of them are never taken, and
 * code for them is what makes a region long.
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

export interface RegionExit {
  readonly record: number;
  readonly handler: number;
  readonly left: number;
  readonly page: number;
  readonly recipe: number;
}

const ROOM = 16 * 2 ** 20;
/** A region has fewer exits than this. */
const MOST = 4096;
/** Tables are this many entries, or a multiple. */
const GRAIN = 16;

/** Room for the exit tables of the regions that one thread makes. */
export class ExitTables {
  readonly #base: number;
  readonly #view: DataView;
  #next: number;
  /** tables of dropped regions, by number of entries */
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
    return this.#next + MOST * EXIT_ENTRY.bytes <= this.#base + ROOM;
  }

  /** Writes a table, when there is room; its linear offset. */
  add(exits: readonly RegionExit[]): number {
    const count = entriesFor(exits.length);
    let table = this.#free.get(count)?.pop();
    if (table === undefined) {
      assert(count <= MOST && this.hasRoom, 'a region has few exits');
      table = this.#next;
      this.#next += count * EXIT_ENTRY.bytes;
    }
    exits.forEach((exit, i) => {
      const at = (table as number) + i * EXIT_ENTRY.bytes;
      this.#view.setUint32(at + EXIT_ENTRY.record, exit.record, true);
      this.#view.setUint32(at + EXIT_ENTRY.handler, exit.handler, true);
      this.#view.setInt32(at + EXIT_ENTRY.left, exit.left, true);
      assert((exit.page << 8) >> 8 === exit.page, 'a region reaches less than 32 GiB');
      this.#view.setInt32(at + EXIT_ENTRY.page, (exit.page << 8) | exit.recipe, true);
    });
    return table;
  }

  /** Takes back the table of `count` exits at `table`. Its contents stay until a new table needs the place. */
  remove(table: number, count: number): void {
    const size = entriesFor(count);
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [table]);
    else list.push(table);
  }

  clear(): void {
    this.#next = this.#base;
    this.#free.clear();
  }
}

function entriesFor(count: number): number {
  return Math.max(1, Math.ceil(count / GRAIN)) * GRAIN;
}
