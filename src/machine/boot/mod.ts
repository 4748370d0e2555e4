export {
  type BootRegisters,
  type BootSegment,
  type BootState,
  E820,
  type E820Entry,
  type LoadOptions,
} from './boot-state.ts';
export { loadKernel } from './load-kernel.ts';
export { unpackKernel } from './unpack-kernel.ts';
