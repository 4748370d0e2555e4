export { nodeCodecs } from './codecs.ts';
export { type ImageLock, lockImage } from './image-lock.ts';
export { lockChain, lockDisks } from './lock-disks.ts';
export { type DiskFullHandler, NodeFile, NodeFiles } from './node-file.ts';
export { openDisks } from './open-disks.ts';
export { reasonOf } from './reason.ts';
