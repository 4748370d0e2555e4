/**
 * Helpers that take the linear address of a memory operand: which argument it is, and what they touch
 * there. The checks of segmentation (segment-limits.ts) are made before such a helper runs.
 */
import type { Value } from '../ir/mod.ts';
import { kindBytes } from './fpu/memory-kinds.ts';

export interface HelperArea {
  /** number of the argument that is the address */
  readonly address: number;
  readonly bytes: number;
  readonly writes: boolean;
}

const reads = (bytes: number): HelperArea => ({ address: 0, bytes, writes: false });
const writes = (bytes: number): HelperArea => ({ address: 0, bytes, writes: true });

/** XSAVE area without extended components: legacy region and header. */
const XSAVE_BYTES = 576;

const AREAS: Readonly<Record<string, HelperArea>> = {
  lgdt: reads(6),
  lidt: reads(6),
  sgdt: writes(6),
  sidt: writes(6),
  invpcid: { address: 1, bytes: 16, writes: false },
  fxsave: writes(512),
  fxrstor: reads(512),
  xsave: writes(XSAVE_BYTES),
  xsaveopt: writes(XSAVE_BYTES),
  xsavec: writes(XSAVE_BYTES),
  xrstor: reads(XSAVE_BYTES),
  xrstors: reads(XSAVE_BYTES),
  x87Load80: reads(10),
  x87LoadDecimal: reads(10),
  x87Store80: writes(10),
  x87StoreDecimal: writes(10),
};

/** x87 environments by operand size, 16 or 32 bits. */
const ENVIRONMENTS: Readonly<Record<string, readonly [number, number, boolean]>> = {
  fnstenv: [14, 28, true],
  fldenv: [14, 28, false],
  fnsave: [94, 108, true],
  frstor: [94, 108, false],
};

/** What helper `name` touches, called with `args`; undefined when it takes no such address. */
export function helperArea(name: string, args: readonly Value[]): HelperArea | undefined {
  const environment = ENVIRONMENTS[name];
  if (environment !== undefined) {
    const [narrow, wide, stores] = environment;
    const bytes = args[1]?.imm === 0 ? narrow : wide;
    return { address: 0, bytes, writes: stores };
  }
  if (name === 'x87Store') {
    return { address: 1, bytes: kindBytes(args[0]?.imm as number), writes: true };
  }
  return AREAS[name];
}
