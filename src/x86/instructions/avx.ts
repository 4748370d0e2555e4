import type { Instruction } from '../form.ts';
import { avxFmaInstructions } from './avx-fma.ts';
import { avxGatherInstructions } from './avx-gather.ts';
import { avxLegacyInstructions } from './avx-legacy.ts';
import { avxPermuteInstructions } from './avx-permute.ts';

/** AVX, AVX2, FMA and F16C. */
export const avxInstructions: readonly Instruction[] = [
  ...avxLegacyInstructions,
  ...avxPermuteInstructions,
  ...avxGatherInstructions,
  ...avxFmaInstructions,
];
