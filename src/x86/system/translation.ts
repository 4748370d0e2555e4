/** INVLPG, INVPCID, and the writes of segment bases. SDM Vol. 2A "INVLPG", "INVPCID". */
import type { Cpu, Helper } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault } from '../fault.ts';
import { STATE, segmentBaseOffset } from '../state.ts';
import { CR4 } from './control-bits.ts';
import { isCanonical } from './mode.ts';

const INVPCID_ADDRESS = 0n;
const INVPCID_CONTEXT = 1n;
const INVPCID_ALL_GLOBAL = 2n;
const INVPCID_ALL = 3n;

/** An address that is not canonical is ignored. */
function invlpg(cpu: Cpu, address: bigint): void {
  const linear = BigInt.asUintN(64, address);
  if (isCanonical(cpu.state, linear)) cpu.flushPage(linear);
}

/** The descriptor is 16 bytes: PCID in bits 11:0, a linear address in the upper half. */
function invpcid(cpu: Cpu, rawType: bigint, descriptor: bigint): void {
  const { state } = cpu;
  const type = BigInt.asUintN(64, rawType);
  const context = cpu.readLinear(BigInt.asUintN(64, descriptor), 8);
  const address = cpu.readLinear(BigInt.asUintN(64, descriptor + 8n), 8);
  if (type > INVPCID_ALL || context >> 12n !== 0n) throw new GuestFault(GP);
  const tagged = (state.get32(STATE.cr4) & CR4.PCIDE) !== 0;
  if (type <= INVPCID_CONTEXT && context !== 0n && !tagged) throw new GuestFault(GP);
  if (type === INVPCID_ADDRESS) {
    if (!isCanonical(state, address)) throw new GuestFault(GP);
    cpu.flushPage(address);
  } else if (type === INVPCID_CONTEXT) {
    cpu.flushContext(Number(context));
  } else {
    cpu.flushTlb(type === INVPCID_ALL_GLOBAL ? 'all' : 'non-global');
  }
}

/** WRFSBASE, WRGSBASE: #GP for an address that is not canonical. */
function writeSegmentBase(cpu: Cpu, index: number, base: bigint): void {
  const address = BigInt.asUintN(64, base);
  if (!isCanonical(cpu.state, address)) throw new GuestFault(GP);
  cpu.state.set64(segmentBaseOffset(index), address);
}

/** STAC and CLAC. Under CR4.SMAP the engine changes to other cached translations. */
function setAccessOverride(cpu: Cpu, on: number): void {
  const { state } = cpu;
  const before = state.get32(STATE.eflags);
  const after = on !== 0 ? before | EFLAGS.AC : before & ~EFLAGS.AC;
  state.set32(STATE.eflags, after);
  if (before === after >>> 0 || (state.get32(STATE.cr4) & CR4.SMAP) === 0) return;
  cpu.modeChanged();
  cpu.redirect(cpu.nextRip());
}

/** #GP(0) for a target that is not canonical. */
function checkCanonical(cpu: Cpu, target: bigint): void {
  if (!isCanonical(cpu.state, target)) throw new GuestFault(GP);
}

export const translationHelpers: Record<string, Helper> = {
  checkCanonical: { params: ['i64'], run: checkCanonical },
  invlpg: { params: ['i64'], run: invlpg },
  invpcid: { params: ['i64', 'i64'], run: invpcid },
  writeSegmentBase: { params: ['i32', 'i64'], run: writeSegmentBase },
  setAccessOverride: { params: ['i32'], run: setAccessOverride },
};
