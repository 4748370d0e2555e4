import { FunctionWriter } from '../../wasm/mod.ts';
import {
  buildFunctionModule,
  type ModuleSurroundings,
  type NamedFunction,
  type RegionTypes,
} from '../handlers/function-module.ts';
import type { ExitTables, RegionExit } from './exit-table.ts';
import type { RegionGraph } from './graph.ts';
import { LoopFacts } from './loop-facts.ts';
import { RegionEmitter } from './region-emitter.ts';

export interface BuiltRegion {
  /** the module, and its function */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly body: NamedFunction;
  /** where its exits are in the tables, and how many they are */
  readonly exitTable: number;
  readonly exits: number;
}

/** A module of the region of `graph`, which goes into the table at `index`; its exits go into `tables`. */
export function buildRegion(
  surroundings: ModuleSurroundings,
  tables: ExitTables,
  index: number,
  graph: RegionGraph,
  recordAt: (at: number) => number,
): BuiltRegion {
  let exitTable = 0;
  let exits = 0;
  const placeExits = (list: readonly RegionExit[]): number => {
    // A region may be emitted more than once: the last table counts.
    if (exitTable !== 0) tables.remove(exitTable, exits);
    exits = list.length;
    exitTable = tables.add(list);
    return exitTable;
  };
  const name = `region@${(graph.root.instructions[0]?.at ?? 0).toString(16)}`;
  const { bytes, code } = buildFunctionModule(surroundings, index, (helper, handlerType, types) => {
    const code = translateRegion(helper, handlerType, types, graph, recordAt, placeExits).finish();
    return { name, code };
  });
  return { bytes, body: { name, code }, exitTable, exits };
}

/** The region of `graph` as a WebAssembly function; parameters as of RegionEmitter. */
function translateRegion(
  helper: (name: string) => number,
  handlerType: number,
  types: RegionTypes,
  graph: RegionGraph,
  recordAt: (at: number) => number,
  exitTable: (exits: readonly RegionExit[]) => number,
): FunctionWriter {
  const facts = new LoopFacts();
  for (;;) {
    if (graph.marks !== undefined) graph.marks.length = 0;
    const f = new FunctionWriter(4);
    new RegionEmitter(
      f,
      helper,
      handlerType,
      types,
      graph,
      recordAt,
      exitTable,
      facts,
    ).emitRegion();
    if (!facts.again()) return f;
  }
}
