export { VirtioBalloon, type VirtioBalloonOptions } from './balloon/device.ts';
export { VirtioBlk, type VirtioBlkOptions } from './blk/device.ts';
export {
  VirtioConsole,
  type VirtioConsoleOptions,
  type VirtioConsolePort,
} from './console/device.ts';
export type { VirtioDevice, VirtioDriver } from './device.ts';
export { readStructure } from './device.ts';
export { type FsCounters, VirtioFs, type VirtioFsOptions } from './fs/device.ts';
export {
  type NetCounters,
  VirtioNet,
  type VirtioNetOptions,
  type VirtioNetState,
} from './net/device.ts';
export { VirtioPci, type VirtioPciOptions, type VirtioPciState } from './pci/virtio-pci.ts';
export { DescriptorChain } from './queue/chain.ts';
export { Virtqueue, type VirtqueueState } from './queue/virtqueue.ts';
export { VirtioRng, type VirtioRngOptions } from './rng/device.ts';
export { VirtioVsock, type VirtioVsockOptions, type VsockCounters } from './vsock/device.ts';
