import type { OpRow } from './ops.ts';

/** Vector rows of the op table (v128). Evaluated lane by lane. */
export const vectorOps: Record<string, OpRow> = {};
