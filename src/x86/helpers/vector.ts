/** Every helper of the vector instructions, by name. */
import type { Helper } from '../cpu.ts';
import { vectorFloatHelpers } from './vector-float.ts';
import { vectorStoreHelpers } from './vector-store.ts';

export const vectorHelpers: Record<string, Helper> = {
  ...vectorStoreHelpers,
  ...vectorFloatHelpers,
};
