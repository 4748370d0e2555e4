/** The fixed ACPI description table. ACPI specification 6.5, section 5.2.9. */
import {
  ACPI_PM_CONTROL_OFFSET,
  ACPI_PM_EVENT_OFFSET,
  ACPI_PM_TIMER_OFFSET,
} from '../../devices/mod.ts';
import type { AcpiDescription } from './description.ts';
import { AcpiTable } from './table.ts';

const FADT_REVISION = 6;
const FADT_MINOR_VERSION = 5;
const FADT_BYTES = 276;

/** IA-PC boot architecture flags, table 5.10. */
const BOOT_LEGACY_DEVICES = 1 << 0;
const BOOT_8042 = 1 << 1;
const BOOT_NO_VGA = 1 << 2;
const BOOT_NO_RTC = 1 << 5;

/** Fixed feature flags, table 5.9. The power button's bit is clear: it is fixed hardware. */
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const NO_FIXED_SLEEP_BUTTON = 1 << 5;
const NO_FIXED_RTC_WAKE = 1 << 6;
const TMR_VAL_EXT = 1 << 8;
const RESET_REG_SUP = 1 << 10;

/** Latencies that say the C2 and C3 states do not exist. */
const NO_C2 = 0xffff;
const NO_C3 = 0xffff;

export function buildFadt(
  description: AcpiDescription,
  gpas: { readonly facs: number; readonly dsdt: number },
): Uint8Array<ArrayBuffer> {
  const table = new AcpiTable('FACP', FADT_REVISION, FADT_BYTES);
  const { i8042, pmPort, pmTimerBits, reset, rtcCenturyIndex, sciIrq, vga } = description;
  table.u32(36, gpas.facs);
  table.u32(40, gpas.dsdt);
  table.u8(45, 0); // preferred power profile: unspecified
  table.u16(46, sciIrq);
  // SMI_CMD stays zero: the machine is always in ACPI mode.
  const event = pmPort + ACPI_PM_EVENT_OFFSET;
  const control = pmPort + ACPI_PM_CONTROL_OFFSET;
  const timer = pmPort + ACPI_PM_TIMER_OFFSET;
  table.u32(56, event);
  table.u32(64, control);
  table.u32(76, timer);
  table.u8(88, 4);
  table.u8(89, 2);
  table.u8(91, 4);
  table.u16(96, NO_C2);
  table.u16(98, NO_C3);
  table.u8(108, rtcCenturyIndex ?? 0);
  table.u16(
    109,
    BOOT_LEGACY_DEVICES |
      (i8042 ? BOOT_8042 : 0) |
      (vga ? 0 : BOOT_NO_VGA) |
      (rtcCenturyIndex === undefined ? BOOT_NO_RTC : 0),
  );
  table.u32(
    112,
    WBINVD |
      PROC_C1 |
      NO_FIXED_SLEEP_BUTTON |
      NO_FIXED_RTC_WAKE |
      (pmTimerBits === 32 ? TMR_VAL_EXT : 0) |
      RESET_REG_SUP,
  );
  table.ports(116, reset.port, 1);
  table.u8(128, reset.value);
  table.u8(131, FADT_MINOR_VERSION);
  table.u64(140, gpas.dsdt);
  table.ports(148, event, 4);
  table.ports(172, control, 2);
  table.ports(208, timer, 4);
  table.put(268, new TextEncoder().encode('Vivarium')); // hypervisor vendor identity
  return table.finish();
}
