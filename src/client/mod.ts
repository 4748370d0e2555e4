export type { EngineName, MachineStats } from '../machine/config.ts';
export type { MachineEnd } from '../platform/mod.ts';
export { VivariumError } from '../util/mod.ts';
export type { MachineConsole } from './console.ts';
export { MachineFault } from './fault.ts';
export { why } from './images.ts';
export { Machine, type MachineState } from './machine.ts';
export { parseMemorySize } from './memory-size.ts';
export type { MachineOptions } from './options.ts';
