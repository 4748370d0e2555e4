import { FunctionWriter } from '../../wasm/mod.ts';
import {
  buildFunctionModule,
  type ModuleSurroundings,
  type NamedFunction,
} from '../handlers/function-module.ts';
import type { RegionTypes } from '../handlers/region-types.ts';
import type { RegionGraph, RegionInstruction } from './graph.ts';
import { LoopFacts } from './loop-facts.ts';
import { RegionEmitter } from './region-emitter.ts';
import {
  packExits,
  type RegionExit,
  type RegionPlaces,
  type RegionTables,
  type TablePlace,
} from './region-table.ts';

export interface BuiltRegion {
  /** the module, and its function */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly body: NamedFunction;
  readonly table: TablePlace;
  /** its exits, packed */
  readonly exits: Int32Array<ArrayBuffer>;
}

/** A module of the region of `graph`, which goes into the table at `index`; its own table goes into `tables`. */
export function buildRegion(
  surroundings: ModuleSurroundings,
  tables: RegionTables,
  index: number,
  graph: RegionGraph,
  recordAt: (at: number) => number,
): BuiltRegion {
  const places = placesOf(graph, recordAt);
  let exits = new Int32Array();
  let table: TablePlace = { at: 0, bytes: 0 };
  const { bytes, code, name } = buildFunctionModule(
    surroundings,
    index,
    (helper, handlerType, types) => {
      const region = translateRegion(helper, handlerType, types, graph, recordAt);
      exits = packExits(region.exits);
      table = tables.add(exits, places);
      const name = `region@${(graph.root.instructions[0] as RegionInstruction).at.toString(16)}`;
      return { name, code: region.f.finish(), value: table.at };
    },
  );
  return { bytes, body: { name, code }, table, exits };
}

/** Where the parts of `graph` are in the machine in which it was found. */
function placesOf(graph: RegionGraph, recordAt: (at: number) => number): RegionPlaces {
  const instructions = new Map<number, RegionInstruction>();
  for (const block of graph.blocks)
    for (const each of block.instructions) instructions.set(each.at, each);
  const instruction = (at: number) => instructions.get(at) as RegionInstruction;
  return {
    rootHandler: (graph.root.instructions[0] as RegionInstruction).handler,
    neighbours: [...graph.pages].filter(([page]) => page !== 0),
    record: recordAt,
    instruction,
    profile: (at) => instruction(at).profile,
  };
}

/** The region of `graph` as a WebAssembly function; parameters as of RegionEmitter. */
function translateRegion(
  helper: (name: string) => number,
  handlerType: number,
  types: RegionTypes,
  graph: RegionGraph,
  recordAt: (at: number) => number,
): { f: FunctionWriter; exits: readonly RegionExit[] } {
  const facts = new LoopFacts();
  for (;;) {
    if (graph.marks !== undefined) graph.marks.length = 0;
    const f = new FunctionWriter(4);
    const emitter = new RegionEmitter(f, helper, handlerType, types, graph, recordAt, facts);
    const exits = emitter.emitRegion();
    if (!facts.again()) return { f, exits };
  }
}
