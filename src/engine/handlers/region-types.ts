import { I32, I64, type ModuleWriter } from '../../wasm/mod.ts';

/** Types of what regions call through the table: the runtime defines it, their modules name it. */
export interface RegionTypes {
  /** see AFTER_HELPER */
  readonly afterHelper: number;
  /** see STORE_FLAGS */
  readonly storeFlags: number;
  /** see `leaveRegionBody` */
  readonly leaveRegion: number;
  /** see `checkPagesBody` */
  readonly checkPages: number;
}

export function regionTypes(module: ModuleWriter): RegionTypes {
  return {
    afterHelper: module.type([I32, I32, I32, I32, I32], [I32]),
    storeFlags: module.type([I32, I32, I64, I64, I64], []),
    leaveRegion: module.type([I32, I32, I32, I32, I64], [I32]),
    checkPages: module.type([I32, I64, I32, I32], [I32]),
  };
}
