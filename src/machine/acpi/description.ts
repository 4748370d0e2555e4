/** What the firmware tables say of a machine. Addresses are guest-physical, ends exclusive. */
export interface AcpiDescription {
  /** local APIC ids, the bootstrap processor's first */
  readonly apicIds: readonly number[];
  readonly localApicGpa: number;
  readonly ioapic: { readonly id: number; readonly gpa: number };
  /** ISA interrupt of the system control interrupt, level-triggered, active high */
  readonly sciIrq: number;
  /** first port of the PM block, laid out as in `AcpiPm` */
  readonly pmPort: number;
  readonly pmTimerBits: 24 | 32;
  readonly reset: { readonly port: number; readonly value: number };
  /** CMOS index of the century, or undefined when there is no real-time clock */
  readonly rtcCenturyIndex?: number;
  /** a keyboard controller at ports 0x60 and 0x64 */
  readonly i8042: boolean;
  /** a VGA adapter may be probed */
  readonly vga: boolean;
  readonly serialPorts: readonly { readonly port: number; readonly irq: number }[];
  readonly pci?: AcpiPciDescription;
  /** where the tables begin; default 0xe0000, where a search for the RSDP finds it */
  readonly gpa?: number;
}

export interface AcpiPciDescription {
  readonly ecam?: { readonly gpa: number; readonly lastBus: number };
  /** port windows besides those that motherboard devices use */
  readonly ioWindows: readonly { readonly start: number; readonly end: number }[];
  readonly memoryWindows: readonly { readonly start: number; readonly end: number }[];
  /** global system interrupt of the first of the four interrupt lines of `PciHost` */
  readonly firstGsi: number;
}
