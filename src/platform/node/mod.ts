export { type MachineThread, startMachineThread } from './machine-thread.ts';
