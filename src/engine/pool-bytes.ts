import { CODE_CACHE_BYTES } from './code-cache.ts';
import { JumpProfiles } from './regions/profile.ts';
import { RegionTables } from './regions/region-table.ts';
import { Tlb } from './tlb.ts';

/** Address space that a vCPU takes from the frame pool: its state, TLBs, and all it knows of code. */
export const ENGINE_POOL_BYTES =
  CODE_CACHE_BYTES + 2 * RegionTables.bytes + JumpProfiles.bytes + Tlb.bytes + 2 ** 20;
