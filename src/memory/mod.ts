export type { DeviceMemory } from './device-memory.ts';
export { FramePool, PAGE_BYTES, PAGE_SHIFT } from './frame-pool.ts';
export {
  type CodeWriteListener,
  GuestMemory,
  type MemoryStretch,
  type RamRange,
} from './guest-memory.ts';
