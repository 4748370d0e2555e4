/**
 * Which writes of x2APIC registers raise #GP. Intel SDM Vol. 3A, "x2APIC Register Address Space" and
 * "Reserved Bit Checking".
 */
import * as R from './registers.ts';

const ICR_RESERVED = 0xfff3_3000n;
/** Delivery status and remote IRR of LVT entries are read-only, not reserved. */
const LVT_READ_ONLY = 0x5000;

/** Writable bits by register index; other registers are checked where they are written. */
const WRITABLE = new Map<number, number>([
  [R.APIC_TPR, 0xff],
  [R.APIC_EOI, 0],
  [R.APIC_SVR, R.SVR_WRITABLE],
  [R.APIC_ESR, 0],
  [R.APIC_DIVIDE, 0x0b],
  [R.APIC_SELF_IPI, 0xff],
]);

/** True when writing `value` to register `index` sets reserved bits, or the register has no x2APIC form. */
export function x2apicWriteFaults(index: number, value: bigint): boolean {
  if (index === R.APIC_ICR_LOW) return (value & ICR_RESERVED) !== 0n;
  if (value >> 32n !== 0n) return true;
  if (index === R.APIC_DFR || index === R.APIC_LDR || index === R.APIC_ICR_HIGH) return true;
  const entry = index - R.APIC_LVT;
  const writable =
    entry >= 0 && entry < R.LVT_COUNT
      ? (R.LVT_WRITABLE[entry] as number) | LVT_READ_ONLY
      : WRITABLE.get(index);
  return writable !== undefined && (Number(value) & ~writable) !== 0;
}
