export { busyboxApplets } from './busybox.ts';
export { type TreeEntry, writeCpio } from './cpio.ts';
export { extractDeb } from './deb.ts';
export {
  compareVersions,
  isSafePath,
  kernelPackageName,
  newestRecord,
  type PackageRecord,
  releaseSums,
  stanzasOf,
} from './debian.ts';
export {
  DEFAULT_BUSYBOX_PACKAGE,
  DEFAULT_CMDLINE,
  DEFAULT_KERNEL_PACKAGE,
  isBusyboxPath,
  kernelVersionOf,
} from './default-guest.ts';
export { type SourcesFile, sourcesOfRelease } from './image/build-sources.ts';
export {
  DEBIAN_IMAGE_PACKAGES,
  DEBIAN_IMAGE_SCRIPT,
  type DebianImageOptions,
  debianImageFiles,
  isPackageName,
} from './image/debian-image.ts';
export { type DiskLinux, findDiskLinux } from './image/disk-kernel.ts';
export { buildInitrd, type ExtraFile, type InitrdOptions } from './initrd.ts';
export { buildModuleTree, DEVICE_MODULES, isModulePath } from './module-tree.ts';
export { canonicalName, moduleDepends, orderModules } from './modules.ts';
