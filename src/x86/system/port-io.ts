/** IN, OUT, INS, OUTS. SDM Vol. 1 chapter 19; Vol. 2A "IN", "INS"; Vol. 2B "OUT", "OUTS". */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { EFLAGS } from '../cpu-state.ts';
import { checkSegmentAccess } from '../segment-limits.ts';
import { gprOffset, RAX, RCX, RDI, RDX, RSI, SEGMENT, STATE, segmentBaseOffset } from '../state.ts';
import { in64BitMode } from './mode.ts';
import { checkPort } from './tss.ts';

type PortBytes = 1 | 2 | 4;

/** Elements of a repeated INS or OUTS that are moved before interrupts get a chance. */
const BATCH = 1024;
/** How long an element takes, in usual instructions. */
const ELEMENT_INSTRUCTIONS = 8;

/** IN: the low `bytes` of rAX; four bytes clear the upper half. */
function portIn(cpu: Cpu, port: number, bytes: PortBytes): void {
  const { state } = cpu;
  checkPort(cpu, port & 0xffff, bytes);
  const value = cpu.ioRead(port & 0xffff, bytes);
  if (bytes === 4) state.setGpr32(RAX, value);
  else if (bytes === 2) state.set16(gprOffset(RAX), value);
  else state.u8[gprOffset(RAX)] = value;
}

function portOut(cpu: Cpu, port: number, bytes: PortBytes): void {
  checkPort(cpu, port & 0xffff, bytes);
  const value = cpu.state.gpr32(RAX);
  const mask = bytes === 4 ? 0xffff_ffff : 2 ** (bytes * 8) - 1;
  cpu.ioWrite(port & 0xffff, bytes, (value & mask) >>> 0);
}

function addressMask(addressSize: number): bigint {
  return (1n << BigInt(addressSize)) - 1n;
}

/** Adds to a register at the address size: 32 bits clear the upper half, 16 keep the rest. */
function advance(state: CpuState, register: number, addressSize: number, by: bigint): void {
  const mask = addressMask(addressSize);
  const whole = state.gpr(register);
  const next = (whole + by) & mask;
  state.setGpr(register, addressSize === 16 ? (whole & ~mask) | next : next);
}

/**
 * Linear address of `bytes` at `offset` of the segment whose base is at state offset `segment`, which is
 * checked outside 64-bit mode.
 */
function linear(cpu: Cpu, segment: number, offset: bigint, bytes: number, writes: boolean): bigint {
  const { state } = cpu;
  const address = state.get64(segment) + offset;
  if (in64BitMode(state)) return BigInt.asUintN(64, address);
  const index = (segment - segmentBaseOffset(0)) / SEGMENT.bytes;
  checkSegmentAccess(cpu, index, Number(offset), bytes, writes);
  return BigInt.asUintN(32, address);
}

/** Runs `element` once, or rCX times in batches; a fault leaves the registers at the failed element. */
function repeated(cpu: Cpu, addressSize: number, repeat: number, element: () => void): void {
  const { state } = cpu;
  if (repeat === 0) {
    element();
    return;
  }
  const mask = addressMask(addressSize);
  for (let done = 0; done < BATCH; done++) {
    if ((state.gpr(RCX) & mask) === 0n) return;
    element();
    advance(state, RCX, addressSize, -1n);
  }
  if ((state.gpr(RCX) & mask) === 0n) return;
  cpu.spent?.(BATCH * ELEMENT_INSTRUCTIONS);
  cpu.redirect(cpu.currentRip());
}

/** INS: port DX to ES:rDI. The destination is checked before the port is read. */
function ins(cpu: Cpu, bytes: PortBytes, addressSize: number, repeat: number, base: number): void {
  const { state } = cpu;
  const port = state.get16(gprOffset(RDX));
  checkPort(cpu, port, bytes);
  const step = BigInt((state.get32(STATE.eflags) & EFLAGS.DF) === 0 ? bytes : -bytes);
  repeated(cpu, addressSize, repeat, () => {
    const address = linear(cpu, base, state.gpr(RDI) & addressMask(addressSize), bytes, true);
    cpu.translate(address, 'write');
    cpu.translate(BigInt.asUintN(64, address + BigInt(bytes - 1)), 'write');
    cpu.writeLinear(address, bytes, BigInt(cpu.ioRead(port, bytes) >>> 0));
    advance(state, RDI, addressSize, step);
  });
}

/** OUTS: DS:rSI (or another segment) to port DX. */
function outs(cpu: Cpu, bytes: PortBytes, addressSize: number, repeat: number, base: number): void {
  const { state } = cpu;
  const port = state.get16(gprOffset(RDX));
  checkPort(cpu, port, bytes);
  const step = BigInt((state.get32(STATE.eflags) & EFLAGS.DF) === 0 ? bytes : -bytes);
  repeated(cpu, addressSize, repeat, () => {
    const address = linear(cpu, base, state.gpr(RSI) & addressMask(addressSize), bytes, false);
    cpu.ioWrite(port, bytes, Number(cpu.readLinear(address, bytes)));
    advance(state, RSI, addressSize, step);
  });
}

export const portHelpers: Record<string, Helper> = {
  portIn: { params: ['i32', 'i32'], run: portIn },
  portOut: { params: ['i32', 'i32'], run: portOut },
  ins: { params: ['i32', 'i32', 'i32', 'i32'], run: ins },
  outs: { params: ['i32', 'i32', 'i32', 'i32'], run: outs },
};
