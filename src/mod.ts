/** The npm door of Vivarium: virtual machines as objects. */
export {
  type EngineName,
  Machine,
  type MachineConsole,
  type MachineEnd,
  MachineFault,
  type MachineOptions,
  type MachineState,
  type MachineStats,
  type MouseInput,
  type Screen,
  screenPng,
  VivariumError,
} from './client/mod.ts';
