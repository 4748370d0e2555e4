import type { Instruction } from '../form.ts';
import { mmxControlInstructions } from './mmx-control.ts';
import { sseBlendInstructions } from './sse-blend.ts';
import { sseCompareInstructions } from './sse-compare.ts';
import { sseControlInstructions } from './sse-control.ts';
import { sseConvertInstructions } from './sse-convert.ts';
import { sseConvertPackedInstructions } from './sse-convert-packed.ts';
import { sseElementInstructions } from './sse-element.ts';
import { sseFloatInstructions } from './sse-float.ts';
import { sseHelpedInstructions } from './sse-helped.ts';
import { sseIntegerInstructions } from './sse-integer.ts';
import { sseMoveInstructions } from './sse-move.ts';
import { sseRoundInstructions } from './sse-round.ts';
import { sseShiftInstructions } from './sse-shift.ts';
import { sseShuffleInstructions } from './sse-shuffle.ts';
import { sseStringInstructions } from './sse-strings.ts';
import { sseUnpackInstructions } from './sse-unpack.ts';

/** MMX and SSE to SSE4.2. One line a family. */
export const sseInstructions: readonly Instruction[] = [
  ...mmxControlInstructions,
  ...sseMoveInstructions,
  ...sseIntegerInstructions,
  ...sseShiftInstructions,
  ...sseShuffleInstructions,
  ...sseUnpackInstructions,
  ...sseBlendInstructions,
  ...sseElementInstructions,
  ...sseControlInstructions,
  ...sseFloatInstructions,
  ...sseCompareInstructions,
  ...sseConvertInstructions,
  ...sseConvertPackedInstructions,
  ...sseRoundInstructions,
  ...sseHelpedInstructions,
  ...sseStringInstructions,
];
