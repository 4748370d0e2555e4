/**
 * Whether an address that is not canonical belongs to the stack: it is then #SS(0) instead of #GP(0).
 * SDM Vol. 3A, 6.15, interrupt 12; Vol. 1, 3.3.7.1. Found out when it happens, by looking at the
 * instruction again.
 */
import {
  type CpuState,
  DECODED,
  type Decoder,
  MAX_INSTRUCTION_BYTES,
  RBP,
  RSP,
  STATE,
} from '../x86/mod.ts';

const LONG_MODE = { bits: 64, stackSize: 64, real: false } as const;

/** Instructions that push or pop. */
const PUSHES_OR_POPS = new Set([
  'push',
  'pop',
  'pushf',
  'popf',
  'call',
  'ret',
  'lcall',
  'lret',
  'iret',
  'enter',
]);

/** An instruction moves at most this much at once. */
const NEAR = 256n;

/**
 * True when the instruction in `bytes`, of 64-bit code, made the access at `address` through the stack
 * segment: by pushing or popping, or with RSP or RBP as base. Registers are as before the instruction.
 */
export function refersToStack(
  decoder: Decoder,
  state: CpuState,
  bytes: Uint8Array,
  address: bigint,
): boolean {
  if (decoder.decode(bytes, 0, MAX_INSTRUCTION_BYTES, LONG_MODE) !== DECODED) return false;
  const { name } = decoder.encoding.instruction;
  if (PUSHES_OR_POPS.has(name) && isNear(address, state.gpr(RSP))) return true;
  if (name === 'leave') return isNear(address, state.gpr(RBP));
  const { memory, base } = decoder;
  const onStack = base === STATE.gpr + RSP * 8 || base === STATE.gpr + RBP * 8;
  if ((memory !== 'bd64' && memory !== 'bis64') || !onStack) return false;
  if (/^bt[src]?$/.test(name)) return true; // the bit may be far from the operand
  const offset =
    state.get64(base) +
    (state.get64(decoder.index) << BigInt(decoder.scale)) +
    BigInt(decoder.displacement);
  return isNear(address, BigInt.asUintN(64, offset));
}

function isNear(address: bigint, expected: bigint): boolean {
  const distance = BigInt.asIntN(64, address - expected);
  return distance > -NEAR && distance < NEAR;
}
