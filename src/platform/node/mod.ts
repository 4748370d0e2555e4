export { type CodeArchivePlace, codeArchivePlace } from './code-archive/archive-folder.ts';
export { defaultCacheDirectory } from './guest-cache.ts';
export { type DefaultGuest, defaultGuest } from './guest-default.ts';
export { fetchGuestPackage, GuestPackages, type GuestSourceOptions } from './guest-packages.ts';
export {
  type NetworkMemory,
  type NetworkThread,
  type NetworkThreadOptions,
  startNetworkThread,
} from './network/network-thread.ts';
export { type MachineThread, prepareMachineThread, startMachineThread } from './thread/mod.ts';
export { startVsockThread, type VsockThread } from './vsock/vsock-thread.ts';
