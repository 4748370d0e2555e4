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
export { buildInitrd, type ExtraFile, type InitrdOptions } from './initrd.ts';
export { buildModuleTree, DEVICE_MODULES, isModulePath } from './module-tree.ts';
export { canonicalName, moduleDepends, orderModules } from './modules.ts';
