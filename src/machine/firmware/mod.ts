export { type IdeOptions, plugIde } from './ide.ts';
export { firmwareMemoryMap, firmwareTablesGpa } from './memory.ts';
export { checkFirmwareImage, checkFirmwareMemory } from './rom.ts';
export { type FirmwareStartOptions, installFirmware } from './start.ts';
export { plugVideo, VIDEO_MEMORY_BYTES, type VideoOptions } from './video.ts';
