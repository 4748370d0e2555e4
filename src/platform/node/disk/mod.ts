export { nodeCodecs } from './codecs.ts';
export { NodeFile, NodeFiles, type OnDiskFull } from './node-file.ts';
export { openDisks } from './open-disks.ts';
