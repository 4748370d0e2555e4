/**
 * Registers of AMD processors that operating systems read without asking CPUID first, performance counters
 * that never count, and the base of the local APIC. APM Vol. 2, appendix A; Linux arch/x86/kernel/cpu/amd.c.
 */
import { STATE } from '../state.ts';
import { constant, field, type Msr, type MsrTable, withFeature } from './register.ts';

const APIC_BASE_X2APIC = 1n << 10n;

const apicBase: Msr = {
  name: 'APIC_BASE',
  read: (cpu) => cpu.interrupts.readApicBase(),
  write: (cpu, value) =>
    ((value & APIC_BASE_X2APIC) === 0n || cpu.hasFeature('x2apic')) &&
    cpu.interrupts.writeApicBase(value),
};

/** TscFreqSel: the TSC counts at the P0 frequency. */
const HWCR = 1n << 24n;

/** LFENCE serializes. */
const DE_CFG = 1n << 1n;

const PATCH_LEVEL = 0x0b00_2151n;

/** IA32_XSS: no supervisor state component exists. */
const xss = field('XSS', STATE.xss, (_cpu, value) => value === 0n);

/** The four counters that every AMD processor has, and what they would count. */
const performanceCounters: MsrTable = [0, 1, 2, 3].flatMap(
  (order): MsrTable => [
    [0xc001_0000 + order, constant(`PERF_CTL${order}`)],
    [0xc001_0004 + order, constant(`PERF_CTR${order}`)],
  ],
);

export const vendorMsrs: MsrTable = [
  ...performanceCounters,
  [0x1b, apicBase],
  [0x8b, constant('PATCH_LEVEL', PATCH_LEVEL)],
  [0x1a0, field('MISC_ENABLE', STATE.miscEnable)],
  [0x1d9, constant('DEBUG_CTL')],
  [0x1db, constant('LAST_BRANCH_FROM')],
  [0x1dc, constant('LAST_BRANCH_TO')],
  [0x1dd, constant('LAST_EXCEPTION_FROM')],
  [0x1de, constant('LAST_EXCEPTION_TO')],
  [0xda0, withFeature('xsaves', xss)],
  [0xc001_0010, constant('SYSCFG')],
  [0xc001_0015, constant('HWCR', HWCR)],
  [0xc001_001a, constant('TOP_MEM')],
  [0xc001_001d, constant('TOP_MEM2')],
  [0xc001_001f, constant('NB_CFG')],
  [0xc001_0055, constant('INT_PENDING')],
  [0xc001_0058, constant('MMIO_CONFIG_BASE')],
  [0xc001_0061, constant('PSTATE_LIMIT')],
  [0xc001_0112, constant('SMM_ADDR')],
  [0xc001_0113, constant('SMM_MASK')],
  [0xc001_0114, constant('VM_CR', 1n << 4n)], // SVM is disabled
  [0xc001_0117, constant('VM_HSAVE_PA')],
  [0xc001_0140, constant('OSVW_ID_LENGTH')],
  [0xc001_0141, constant('OSVW_STATUS')],
  [0xc001_1020, constant('LS_CFG')],
  [0xc001_1021, constant('IC_CFG')],
  [0xc001_1022, constant('DC_CFG')],
  [0xc001_1023, constant('BU_CFG')],
  [0xc001_1029, constant('DE_CFG', DE_CFG)],
  [0xc001_102a, constant('BU_CFG2')],
];
