/** Every helper of the vector instructions, by name. */
import type { Helper } from '../cpu.ts';
import { vectorAesHelpers } from './vector-aes.ts';
import { vectorFloatHelpers } from './vector-float.ts';
import { vectorFusedHelpers } from './vector-fused.ts';
import { vectorGatherHelpers } from './vector-gather.ts';
import { vectorIntegerHelpers } from './vector-integer.ts';
import { vectorShaHelpers } from './vector-sha.ts';
import { vectorStoreHelpers } from './vector-store.ts';
import { vectorStringHelpers } from './vector-string.ts';

export const vectorHelpers: Record<string, Helper> = {
  ...vectorStoreHelpers,
  ...vectorGatherHelpers,
  ...vectorFloatHelpers,
  ...vectorFusedHelpers,
  ...vectorIntegerHelpers,
  ...vectorStringHelpers,
  ...vectorAesHelpers,
  ...vectorShaHelpers,
};
