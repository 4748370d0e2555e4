/**
 * Register indexes and bits of the local APIC.
 * Intel SDM Vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)": table "Local APIC
 * Register Address Map" (xAPIC offset = index × 16) and "Local APIC Register Address Map Supported
 * by x2APIC" (MSR = 0x800 + index).
 */
export const APIC_ID = 0x02;
export const APIC_VERSION = 0x03;
export const APIC_TPR = 0x08;
export const APIC_APR = 0x09;
export const APIC_PPR = 0x0a;
export const APIC_EOI = 0x0b;
export const APIC_LDR = 0x0d;
export const APIC_DFR = 0x0e;
export const APIC_SVR = 0x0f;
export const APIC_ISR = 0x10;
export const APIC_TMR = 0x18;
export const APIC_IRR = 0x20;
export const APIC_ESR = 0x28;
export const APIC_ICR_LOW = 0x30;
export const APIC_ICR_HIGH = 0x31;
export const APIC_LVT = 0x32;
export const APIC_INITIAL_COUNT = 0x38;
export const APIC_CURRENT_COUNT = 0x39;
export const APIC_DIVIDE = 0x3e;
export const APIC_SELF_IPI = 0x3f;

/** Local vector table entries, in register order from `APIC_LVT`. */
export const LVT_TIMER = 0;
export const LVT_THERMAL = 1;
export const LVT_PERFORMANCE = 2;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_COUNT = 6;

/** Bits of an LVT entry. */
export const LVT_LEVEL_TRIGGERED = 1 << 15;
export const LVT_MASKED = 1 << 16;
export const LVT_TIMER_MODE_SHIFT = 17;

/** Writable bits of each LVT entry. */
export const LVT_WRITABLE: readonly number[] = [
  0x0007_00ff, // timer: mode, mask, vector
  0x0001_07ff, // thermal: mask, delivery mode, vector
  0x0001_07ff, // performance counters
  0x0001_a7ff, // LINT0: mask, trigger mode, polarity, delivery mode, vector
  0x0001_a7ff, // LINT1
  0x0001_00ff, // error: mask, vector
];

/** Spurious-interrupt vector register. */
export const SVR_ENABLED = 1 << 8;
export const SVR_SUPPRESS_EOI_BROADCAST = 1 << 12;
export const SVR_WRITABLE = 0x11ff;

/** Version 0x14 (integrated APIC), six LVT entries, EOI broadcast can be suppressed. */
export const VERSION_VALUE = 0x14 | ((LVT_COUNT - 1) << 16) | (1 << 24);

/** Error status register. */
export const ESR_SEND_ILLEGAL_VECTOR = 1 << 5;
export const ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6;
export const ESR_ILLEGAL_REGISTER = 1 << 7;

/** IA32_APIC_BASE. */
export const BASE_BSP = 1n << 8n;
export const BASE_X2APIC = 1n << 10n;
export const BASE_ENABLED = 1n << 11n;
/** Where the register page lies until a guest moves it. */
export const APIC_DEFAULT_BASE = 0xfee0_0000;

/** Delivery modes, bits 10:8 of the ICR, of LVT entries, of IOAPIC entries and of MSI data. */
export const DELIVER_FIXED = 0;
export const DELIVER_LOWEST_PRIORITY = 1;
export const DELIVER_SMI = 2;
export const DELIVER_NMI = 4;
export const DELIVER_INIT = 5;
export const DELIVER_STARTUP = 6;
export const DELIVER_EXTINT = 7;
