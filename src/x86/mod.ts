export type { Cpu, Helper, Privilege } from './cpu.ts';
export { CpuState, EFLAGS } from './cpu-state.ts';
export {
  type CodeMode,
  DECODED,
  Decoder,
  MAX_INSTRUCTION_BYTES,
  TRUNCATED,
  UNDEFINED,
} from './decoder.ts';
export type { Encoding } from './encoding.ts';
export { AC, DB, GP, GuestFault, PF, SSF, UD, WATCHED } from './fault.ts';
export { helpers } from './helpers/mod.ts';
export { instructions } from './instructions/mod.ts';
export { factTests } from './instructions/vector-facts.ts';
export { buildMeaning, describe, gatesOf } from './meaning.ts';
export { buildOpcodeTable, type OpcodeTable } from './opcode-table.ts';
export { type Operand, RegisterOperand } from './operand.ts';
export { Routine } from './routine.ts';
export { deriveAllTops, segmentAllows, segmentsAreFlat } from './segment-limits.ts';
export { FACT, Semantics } from './semantics.ts';
export type { AddressKind, ResolvedOperands, Shape } from './shape.ts';
export { CS, DS, RBP, RSP, SEGMENT, SS, STATE } from './state.ts';
export { updateTrapGate } from './trap-gate.ts';
