export {
  type MachineThread,
  prepareMachineThread,
  startMachineThread,
} from './machine-thread.ts';
