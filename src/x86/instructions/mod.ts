import type { Instruction } from '../form.ts';
import { avxInstructions } from './avx.ts';
import { integerInstructions } from './integer.ts';
import { sseInstructions } from './sse.ts';
import { systemControlInstructions } from './system-control.ts';
import { systemIoInstructions } from './system-io.ts';
import { systemSegmentInstructions } from './system-segments.ts';
import { systemTransferInstructions } from './system-transfer.ts';
import { x87Instructions } from './x87.ts';
import { xsaveInstructions } from './xsave.ts';

/** Every instruction of the processor. One line a family. */
export const instructions: readonly Instruction[] = [
  ...integerInstructions,
  ...systemControlInstructions,
  ...systemIoInstructions,
  ...systemSegmentInstructions,
  ...systemTransferInstructions,
  ...x87Instructions,
  ...xsaveInstructions,
  ...sseInstructions,
  ...avxInstructions,
];
