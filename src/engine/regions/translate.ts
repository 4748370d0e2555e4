import { FunctionWriter } from '../../wasm/mod.ts';
import type { RegionTypes } from '../handlers/function-module.ts';
import type { RegionExit } from './exit-table.ts';
import type { RegionGraph } from './graph.ts';
import { LoopFacts } from './loop-facts.ts';
import { RegionEmitter } from './region-emitter.ts';

/** The region of `graph` as a WebAssembly function; parameters as of RegionEmitter. */
export function translateRegion(
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
