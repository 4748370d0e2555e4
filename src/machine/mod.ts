export { Board } from './board.ts';
export {
  type BootRegisters,
  type BootSegment,
  type BootState,
  E820,
  type E820Entry,
  type LoadOptions,
  loadKernel,
  unpackKernel,
} from './boot/mod.ts';
export type {
  BoardConfig,
  BoardHost,
  DiskConfig,
  EngineName,
  FirmwareConfig,
  MachineStats,
  NetworkConfig,
  RunOutcome,
  StopReason,
} from './config.ts';
