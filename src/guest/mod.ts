export { busyboxApplets } from './busybox.ts';
export { type TreeEntry, writeCpio } from './cpio.ts';
export { buildInitrd, type ExtraFile, type InitrdOptions } from './initrd.ts';
