export type {
  BoardConfig,
  BoardHost,
  EngineName,
  MachineStats,
  RunOutcome,
  StopReason,
} from './config.ts';
