import type { Instruction } from '../form.ts';
import { avxFmaInstructions } from './avx-fma.ts';
import { avxLegacyInstructions } from './avx-legacy.ts';
import { avxPermuteInstructions } from './avx-permute.ts';

/** AVX, AVX2 without its gathers, FMA and F16C. */
export const avxInstructions: readonly Instruction[] = [
  ...avxLegacyInstructions,
  ...avxPermuteInstructions,
  ...avxFmaInstructions,
];
