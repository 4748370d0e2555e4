export { type IdeOptions, plugIde } from './ide.ts';
export { cmosMemory, uefiPciWindow } from './memory.ts';
export { checkFirmwareImage, checkFirmwareMemory } from './rom.ts';
export { plugSouthBridge } from './south-bridge.ts';
export { type FirmwareStartOptions, installFirmware } from './start.ts';
export { plugVariables } from './uefi-flash.ts';
export { plugVideo, VIDEO_MEMORY_BYTES, type VideoOptions } from './video.ts';
