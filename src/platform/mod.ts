export { ControlBlock, KEYS_BYTES } from './machine-thread/control-block.ts';
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
  ScreenPicture,
} from './machine-thread/messages.ts';
export { writeInputs } from './machine-thread/user-input-ring.ts';
