/** EFER, the SYSCALL and SYSENTER registers, segment bases. SDM Vol. 4, table 2-2; APM Vol. 2, appendix A. */
import type { Cpu } from '../cpu.ts';
import { FS, GS, STATE, segmentBaseOffset } from '../state.ts';
import { CR0, EFER } from '../system/control-bits.ts';
import { addressField, field, type Msr, type MsrTable, withFeature } from './register.ts';

/** EFER bits that come with a feature. */
const EFER_BY_FEATURE: readonly (readonly [string, number])[] = [
  ['syscall', EFER.SCE],
  ['lm', EFER.LME],
  ['nx', EFER.NXE],
  ['svm', EFER.SVME],
  ['fxsr_opt', EFER.FFXSR],
  ['autoibrs', EFER.AIBRSE],
];

function writableEfer(cpu: Cpu): number {
  let mask = 0;
  for (const [feature, bit] of EFER_BY_FEATURE) if (cpu.hasFeature(feature)) mask |= bit;
  return mask;
}

/** LME cannot change while paging is on; LMA is the processor's own. */
function writeEfer(cpu: Cpu, value: bigint): boolean {
  const { state } = cpu;
  const writable = writableEfer(cpu);
  if ((value & ~BigInt(writable | EFER.LMA)) !== 0n) return false;
  const before = state.get32(STATE.efer);
  const next = (Number(value) & ~EFER.LMA) | (before & EFER.LMA);
  const changed = before ^ next;
  if ((changed & EFER.LME) !== 0 && (state.get32(STATE.cr0) & CR0.PG) !== 0) return false;
  state.set64(STATE.efer, BigInt(next));
  if ((changed & EFER.NXE) !== 0) cpu.flushTlb('all');
  cpu.modeChanged();
  cpu.redirect(cpu.nextRip());
  return true;
}

const efer: Msr = {
  name: 'EFER',
  read: (cpu) => cpu.state.get64(STATE.efer),
  write: writeEfer,
};

const fits32 = (_cpu: Cpu, value: bigint): boolean => value >> 32n === 0n;

export const longModeMsrs: MsrTable = [
  [0x174, withFeature('sep', field('SYSENTER_CS', STATE.sysenterCs))],
  [0x175, withFeature('sep', addressField('SYSENTER_ESP', STATE.sysenterEsp))],
  [0x176, withFeature('sep', addressField('SYSENTER_EIP', STATE.sysenterEip))],
  [0xc000_0080, efer],
  [0xc000_0081, withFeature('syscall', field('STAR', STATE.star))],
  [0xc000_0082, withFeature('syscall', addressField('LSTAR', STATE.lstar))],
  [0xc000_0083, withFeature('syscall', addressField('CSTAR', STATE.cstar))],
  [0xc000_0084, withFeature('syscall', field('SFMASK', STATE.sfmask, fits32))],
  [0xc000_0100, addressField('FS_BASE', segmentBaseOffset(FS))],
  [0xc000_0101, addressField('GS_BASE', segmentBaseOffset(GS))],
  [0xc000_0102, addressField('KERNEL_GS_BASE', STATE.kernelGsBase)],
  [0xc000_0103, withFeature('rdtscp', field('TSC_AUX', STATE.tscAux, fits32))],
];
