export { type IdeOptions, plugIde } from './ide.ts';
export { firmwareMemoryMap, firmwareTablesGpa } from './memory.ts';
export { checkFirmwareImage, romRange } from './rom.ts';
export { type FirmwareStartOptions, installFirmware } from './start.ts';
export { Video, type VideoOptions } from './video.ts';
