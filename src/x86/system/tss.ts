/**
 * The task-state segment as a table of stacks and I/O permissions. SDM Vol. 3A, 8.2 and 8.7.
 *
 *   64-bit                       32-bit              16-bit
 *   0x04 + 8n  RSP0..RSP2        0x04 + 8n  ESPn     0x02 + 4n  SPn
 *   0x1c + 8n  IST1..IST7 (n≥1)  0x08 + 8n  SSn      0x04 + 4n  SSn
 *   0x66       I/O map base      0x66  I/O map base
 */
import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault, TS } from '../fault.ts';
import { STATE, TR } from '../state.ts';
import { ATTRIBUTE, SYSTEM, selectorFault, systemType } from './descriptor.ts';
import { inRealMode, iopl } from './mode.ts';

const RSP0 = 0x04;
const IST1 = 0x24;
const IO_MAP_BASE = 0x66;

/** Stack pointer for interrupt stack table entry `ist` (1 to 7), or for privilege level `level`. */
export function longModeStack(cpu: Cpu, level: number, ist: number, external: number): bigint {
  const { state } = cpu;
  const offset = ist === 0 ? RSP0 + level * 8 : IST1 + (ist - 1) * 8;
  if (offset + 7 > state.segmentLimit(TR)) throw selectorFault(TS, state.selector(TR), external);
  return cpu.readLinear(state.segmentBase(TR) + BigInt(offset), 8, 'supervisor');
}

/** Stack of privilege level `level` (0 to 2) in a 32-bit or 16-bit TSS. */
export function legacyStack(
  cpu: Cpu,
  level: number,
  external: number,
): { selector: number; pointer: number } {
  const { state } = cpu;
  const wide = (systemType(state.segmentAttributes(TR)) & 8) !== 0;
  const offset = wide ? 4 + level * 8 : 2 + level * 4;
  const bytes = wide ? 4 : 2;
  if (offset + bytes + 1 > state.segmentLimit(TR)) {
    throw selectorFault(TS, state.selector(TR), external);
  }
  const base = state.segmentBase(TR) + BigInt(offset);
  return {
    pointer: Number(cpu.readLinear(base, bytes, 'supervisor')),
    selector: Number(cpu.readLinear(base + BigInt(bytes), 2, 'supervisor')),
  };
}

/** #GP unless the current privilege may use `bytes` ports from `port`. SDM Vol. 1, 19.5. */
export function checkPort(cpu: Cpu, port: number, bytes: number): void {
  const { state } = cpu;
  if (inRealMode(state)) return;
  const virtual = (state.get32(STATE.eflags) & EFLAGS.VM) !== 0;
  if (state.cpl <= iopl(state) && !virtual) return;
  const limit = state.segmentLimit(TR);
  const attributes = state.segmentAttributes(TR);
  const wide = (systemType(attributes) & ~2) === SYSTEM.TSS32;
  const usable = (attributes & ATTRIBUTE.PRESENT) !== 0 && wide && limit >= IO_MAP_BASE + 1;
  if (!usable) throw new GuestFault(GP);
  const base = state.segmentBase(TR);
  const map = Number(cpu.readLinear(base + BigInt(IO_MAP_BASE), 2, 'supervisor'));
  const at = map + (port >> 3);
  if (at + 1 > limit) throw new GuestFault(GP);
  const bits = Number(cpu.readLinear(base + BigInt(at), 2, 'supervisor'));
  if (((bits >> (port & 7)) & ((1 << bytes) - 1)) !== 0) throw new GuestFault(GP);
}
