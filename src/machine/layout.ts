/**
 * Where everything lies on the board: guest-physical addresses, ports, interrupts, frequencies. Stable,
 * because snapshots and migration carry them.
 */

/** RAM below 4 GiB ends here at the latest; the rest of RAM continues at 4 GiB. */
export const LOW_RAM_LIMIT = 0xc000_0000;
export const HIGH_RAM_START = 0x1_0000_0000;
/** The PC's hole: video memory and firmware, 640 KiB to 1 MiB. Held as RAM, reserved for firmware tables. */
export const LEGACY_HOLE = { start: 0xa_0000, end: 0x10_0000 } as const;
/** Where a graphics card answers, if there is one. */
export const VIDEO_WINDOW = { start: 0xa_0000, end: 0xc_0000 } as const;
/** End of conventional memory that a kernel may use: the last KiB stands for the extended BIOS data area. */
export const CONVENTIONAL_END = 0x9_fc00;

export const ECAM = { gpa: 0xe000_0000, lastBus: 0 } as const;
export const PCI_MEMORY_WINDOW = { start: 0xc000_0000, end: 0xdfff_ffff } as const;
/** Where firmware gives PCI devices their places instead. */
export const PCI_FIRMWARE_WINDOW = { start: 0xf000_0000, end: 0xfec0_0000 } as const;
/** Device numbers of the cards on bus 0; disks take theirs and those after it. */
export const PCI_SLOT = {
  net: 1,
  rng: 2,
  balloon: 3,
  console: 4,
  vsock: 5,
  vga: 6,
  ide: 7,
  /** the last slot; disks end before it */
  isa: 31,
  firstDisk: 8,
  /** shared folders take this one and those before it */
  lastFolder: 31,
} as const;
export const PCI_IO_WINDOW = { start: 0x1000, end: 0xffff } as const;
export const IOAPIC_GPA = 0xfec0_0000;
export const LOCAL_APIC_GPA = 0xfee0_0000;
/** APIC id of the IOAPIC */
export const IOAPIC_ID = 0;

export const PORT = {
  pic1: 0x20,
  pit: 0x40,
  i8042Data: 0x60,
  systemControl: 0x61,
  i8042Command: 0x64,
  rtc: 0x70,
  postCode: 0x80,
  port92: 0x92,
  pic2: 0xa0,
  debugConsole: 0xe9,
  debugExit: 0xf4,
  com1: 0x3f8,
  firmwareDebug: 0x402,
  elcr: 0x4d0,
  fwCfg: 0x510,
  acpiPm: 0x600,
  /** the same where UEFI firmware has it on a PIIX4, from which it switches off */
  acpiPmUefi: 0xb000,
  pciConfig: 0xcf8,
  reset: 0xcf9,
} as const;

/** ISA interrupts. IRQ 0 reaches IOAPIC pin 2, the others the pin of their number. */
export const IRQ = { timer: 0, keyboard: 1, com1: 4, rtc: 8, sci: 9, mouse: 12 } as const;
export const TIMER_GSI = 2;
/** IOAPIC pins of the four PCI interrupt lines */
export const PCI_FIRST_GSI = 16;

/** The time-stamp counter counts nanoseconds. */
export const TSC_HZ = 1_000_000_000;
export const APIC_TIMER_HZ = 1_000_000_000;
export const PM_TIMER_BITS = 32;
/** CMOS index of the century */
export const RTC_CENTURY = 0x32;
