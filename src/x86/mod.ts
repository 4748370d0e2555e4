export type { Cpu, Helper, Privilege } from './cpu.ts';
export { CpuState, EFLAGS } from './cpu-state.ts';
export { type CodeMode, Decoder } from './decoder.ts';
export type { Encoding } from './encoding.ts';
export { GuestFault } from './fault.ts';
export { helpers } from './helpers/mod.ts';
export { instructions } from './instructions/mod.ts';
export { buildOpcodeTable, type OpcodeTable } from './opcode-table.ts';
export { SEGMENT, STATE } from './state.ts';
