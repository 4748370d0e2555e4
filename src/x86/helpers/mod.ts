import type { Helper } from '../cpu.ts';
import { fpuHelpers } from '../fpu/mod.ts';
import { segmentLimitHelpers } from '../segment-limits.ts';
import { systemHelpers } from '../system/mod.ts';
import { trapGateHelpers } from '../trap-gate.ts';
import { decimalHelpers } from './decimal.ts';
import { integerHelpers } from './integer.ts';
import { stringHelpers } from './string.ts';
import { stringRoutines } from './string-routines.ts';
import { vectorHelpers } from './vector.ts';

/** Every named helper that instruction meanings call. */
export const helpers: Readonly<Record<string, Helper>> = {
  ...integerHelpers,
  ...decimalHelpers,
  ...stringHelpers,
  ...stringRoutines,
  ...fpuHelpers,
  ...vectorHelpers,
  ...systemHelpers,
  ...trapGateHelpers,
  ...segmentLimitHelpers,
};
