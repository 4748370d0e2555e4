/** Translation beside the guest's thread: what is asked of another thread, and what that thread does. */
import { buildOpcodeTable, type Encoding, instructions } from '../../x86/mod.ts';
import type { ModuleSurroundings, NamedFunction } from '../handlers/function-module.ts';
import { completeGraph } from './graph.ts';
import { type RegionJob, unpackJob } from './job.ts';
import { RegionTables, type TablePlace } from './region-table.ts';
import { buildRegion } from './translate.ts';

/** A translated region, to be instantiated. */
export interface RegionProduct {
  readonly id: number;
  /** undefined: there was no room for its table */
  readonly module: WebAssembly.Module | undefined;
  /** its function, to be compiled again with others */
  readonly body: NamedFunction | undefined;
  readonly bytes: number;
  readonly table: TablePlace;
  /** its exits, packed */
  readonly exits: Int32Array<ArrayBuffer>;
  readonly seconds: number;
}

/** What a workshop works on. */
export interface WorkshopPlace extends ModuleSurroundings {
  readonly memory: WebAssembly.Memory;
  /** linear offset of RegionTables.bytes bytes for its regions' tables */
  readonly tables: number;
}

/** Translates regions while the guest goes on. Calls come from the thread that runs the guest. */
export interface RegionWorkshop {
  /** Asks for a region. */
  submit(job: RegionJob): void;
  /** A region that is ready, if there is one. Never waits. */
  take(): RegionProduct | undefined;
  /** A table is not used any more. */
  release(table: TablePlace): void;
  /** No table is used any more. What is still under way is not wanted. */
  clear(): void;
}

const NOTHING: Omit<RegionProduct, 'id'> = {
  ...{ module: undefined, body: undefined, bytes: 0, seconds: 0 },
  table: { at: 0, bytes: 0 },
  exits: new Int32Array(),
};

/** The work itself. */
export class RegionCompiler {
  readonly #place: WorkshopPlace;
  readonly #tables: RegionTables;
  readonly #encodings: readonly Encoding[] = buildOpcodeTable(instructions).encodings;
  readonly #now: () => number;

  /** @param now nanoseconds of any clock */
  constructor(place: WorkshopPlace, now: () => number) {
    this.#place = place;
    this.#tables = new RegionTables(place.memory.buffer, place.tables);
    this.#now = now;
  }

  compile(job: RegionJob): RegionProduct {
    const start = this.#now();
    if (!this.#tables.hasRoom) return { ...NOTHING, id: job.id };
    const { draft, recordAt } = unpackJob(job, this.#encodings);
    const graph = completeGraph(draft);
    const { bytes, body, table, exits } = buildRegion(
      this.#place,
      this.#tables,
      job.index,
      graph,
      recordAt,
    );
    const module = new WebAssembly.Module(bytes);
    const seconds = (this.#now() - start) / 1e9;
    return { id: job.id, module, body, bytes: bytes.length, table, exits, seconds };
  }

  release(table: TablePlace): void {
    this.#tables.remove(table);
  }

  clear(): void {
    this.#tables.clear();
  }
}
