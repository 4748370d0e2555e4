/** Translation beside the guest's thread: what is asked of another thread, and what that thread does. */
import { buildOpcodeTable, type Encoding, instructions } from '../../x86/mod.ts';
import type { ModuleSurroundings, NamedFunction } from '../handlers/function-module.ts';
import { ExitTables } from './exit-table.ts';
import { completeGraph } from './graph.ts';
import { type RegionJob, unpackJob } from './job.ts';
import { buildRegion } from './translate.ts';

/** A translated region, to be instantiated. */
export interface RegionProduct {
  readonly id: number;
  /** undefined: there was no room for its exits */
  readonly module: WebAssembly.Module | undefined;
  /** its function, to be compiled again with others */
  readonly body: NamedFunction | undefined;
  readonly bytes: number;
  readonly exitTable: number;
  readonly exits: number;
  readonly seconds: number;
}

/** What a workshop works on. */
export interface WorkshopPlace extends ModuleSurroundings {
  readonly memory: WebAssembly.Memory;
  /** linear offset of ExitTables.bytes bytes for its exit tables */
  readonly exitTables: number;
}

/** Translates regions while the guest goes on. Calls come from the thread that runs the guest. */
export interface RegionWorkshop {
  /** Asks for a region. */
  submit(job: RegionJob): void;
  /** A region that is ready, if there is one. Never waits. */
  take(): RegionProduct | undefined;
  /** The exit table of so many exits is not used any more. */
  release(exitTable: number, exits: number): void;
  /** No exit table is used any more. What is still under way is not wanted. */
  clear(): void;
}

/** The work itself. */
export class RegionCompiler {
  readonly #place: WorkshopPlace;
  readonly #exitTables: ExitTables;
  readonly #encodings: readonly Encoding[] = buildOpcodeTable(instructions).encodings;
  readonly #now: () => number;

  /** @param now nanoseconds of any clock */
  constructor(place: WorkshopPlace, now: () => number) {
    this.#place = place;
    this.#exitTables = new ExitTables(place.memory.buffer, place.exitTables);
    this.#now = now;
  }

  compile(job: RegionJob): RegionProduct {
    const start = this.#now();
    const nothing = { id: job.id, body: undefined, bytes: 0, exitTable: 0, exits: 0, seconds: 0 };
    if (!this.#exitTables.hasRoom) return { ...nothing, module: undefined };
    const { draft, recordAt } = unpackJob(job, this.#encodings);
    const graph = completeGraph(draft);
    const { bytes, body, exitTable, exits } = buildRegion(
      this.#place,
      this.#exitTables,
      job.index,
      graph,
      recordAt,
    );
    const module = new WebAssembly.Module(bytes);
    const seconds = (this.#now() - start) / 1e9;
    return { id: job.id, module, body, bytes: bytes.length, exitTable, exits, seconds };
  }

  release(exitTable: number, exits: number): void {
    this.#exitTables.remove(exitTable, exits);
  }

  clear(): void {
    this.#exitTables.clear();
  }
}
