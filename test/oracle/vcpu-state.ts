import type { CpuState } from '../../src/x86/cpu-state.ts';
import { FS, GS, gprOffset, STATE, segmentBaseOffset, xmmOffset } from '../../src/x86/state.ts';
import { WIRE } from './layout.ts';
import { ProcessorState } from './processor-state.ts';

/** Loads the state a case starts with into a vCPU's state block. */
export function loadVcpu(cpu: CpuState, from: ProcessorState): void {
  for (let i = 0; i < 16; i++) cpu.set64(gprOffset(i), from.gpr(i));
  cpu.set64(STATE.rip, from.rip);
  cpu.setFlags(from.rflags);
  cpu.set64(segmentBaseOffset(FS), from.get64(WIRE.fsBase));
  cpu.set64(segmentBaseOffset(GS), from.get64(WIRE.gsBase));
  cpu.set32(STATE.mxcsr, from.mxcsr);
  cpu.set16(STATE.fpuControl, from.get16(WIRE.fcw));
  const status = from.get16(WIRE.fsw);
  const top = (status >> 11) & 7;
  cpu.set16(STATE.fpuStatus, status & ~0x3800);
  cpu.set32(STATE.fpuTop, top);
  cpu.set32(STATE.fpuValid, from.get16(WIRE.ftw));
  for (let i = 0; i < 8; i++) {
    const at = WIRE.st + 16 * i;
    cpu.u8.set(from.bytes.subarray(at, at + 16), STATE.fpr + 16 * ((top + i) & 7));
  }
  cpu.u8.set(from.bytes.subarray(WIRE.ymm, WIRE.ymm + 512), xmmOffset(0));
}

/** The state a vCPU was left in. Its RIP is `rip`. */
export function readVcpu(cpu: CpuState, rip: bigint): ProcessorState {
  const to = new ProcessorState();
  for (let i = 0; i < 16; i++) to.setGpr(i, cpu.gpr(i));
  to.rip = rip;
  to.rflags = cpu.getFlags();
  to.set64(WIRE.fsBase, cpu.segmentBase(FS));
  to.set64(WIRE.gsBase, cpu.segmentBase(GS));
  to.mxcsr = cpu.get32(STATE.mxcsr);
  to.set16(WIRE.fcw, cpu.get16(STATE.fpuControl));
  const top = cpu.get32(STATE.fpuTop);
  to.set16(WIRE.fsw, (cpu.get16(STATE.fpuStatus) & ~0x3800) | (top << 11));
  to.set16(WIRE.ftw, cpu.get32(STATE.fpuValid));
  for (let i = 0; i < 8; i++) {
    const at = STATE.fpr + 16 * ((top + i) & 7);
    to.bytes.set(cpu.u8.subarray(at, at + 10), WIRE.st + 16 * i);
  }
  to.bytes.set(cpu.u8.subarray(xmmOffset(0), xmmOffset(0) + 512), WIRE.ymm);
  return to;
}
