export { ControlBlock } from './machine-thread/control-block.ts';
export {
  type BoardMaker,
  type LoopHost,
  MachineLoop,
  type RunnableBoard,
} from './machine-thread/machine-loop.ts';
export type {
  DiskSource,
  FolderSource,
  MachineEnd,
  MachineMessage,
  MachineStart,
} from './machine-thread/messages.ts';
