export {
  ACPI_PM_BYTES,
  ACPI_PM_CONTROL_OFFSET,
  ACPI_PM_EVENT_OFFSET,
  ACPI_PM_TIMER_OFFSET,
  AcpiPm,
  type AcpiPmOptions,
  type AcpiPmState,
  SLEEP_TYPE_S5,
} from './acpi-pm.ts';
export { byteBank } from './byte-bank.ts';
export {
  debugConsoleBank,
  debugExitBank,
  PostCode,
  type PostCodeState,
} from './debug-ports.ts';
export { I8042, type I8042Options, type I8042State } from './i8042/i8042.ts';
export type { Ps2Keyboard } from './i8042/keyboard.ts';
export type { Ps2Mouse } from './i8042/mouse.ts';
export { Typist } from './i8042/typist.ts';
export {
  IOAPIC_DEFAULT_BASE,
  IOAPIC_PINS,
  Ioapic,
  type IoapicOptions,
  type IoapicState,
} from './ioapic.ts';
export { fanOut } from './lines.ts';
export {
  APIC_BROADCAST,
  APIC_DEFAULT_BASE,
  ApicBus,
  type ApicMessage,
  type ApicReceiver,
  LocalApic,
  type LocalApicOptions,
  type LocalApicState,
} from './local-apic/mod.ts';
export {
  assignPciResources,
  type PciAperture,
  type PciApertures,
} from './pci/assign-resources.ts';
export {
  PCI_COMMAND,
  PCI_COMMAND_BUS_MASTER,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  PCI_INTERRUPT_LINE,
  type PciBar,
  PciFunction,
  type PciFunctionOptions,
  type PciFunctionState,
} from './pci/function.ts';
export {
  ECAM_BUS_BYTES,
  interruptLineOf,
  PCI_INTERRUPT_LINES,
  PciHost,
  type PciHostOptions,
  type PciHostState,
} from './pci/host.ts';
export { Pic8259, type Pic8259Options, type Pic8259State } from './pic-8259.ts';
export { PIT_FREQUENCY_HZ } from './pit-8254/channel.ts';
export { Pit8254, type Pit8254Options, type Pit8254State } from './pit-8254/pit-8254.ts';
export {
  RESET_VALUE,
  ResetControl,
  type ResetControlOptions,
  type ResetControlState,
} from './reset-control.ts';
export { Rtc, type RtcOptions, type RtcState } from './rtc/rtc.ts';
export { Uart16550, type Uart16550Options, type Uart16550State } from './uart-16550.ts';
