/**
 * The functions of Intel's PIIX that UEFI firmware for virtual PCs looks for: the bridge to the ISA bus,
 * behind which it expects serial line and keyboard, and the power management, in which it finds the port
 * of the timer. Intel 82371AB (PIIX4) datasheet, chapters 4 and 7.
 *
 * Both only tell; what they would control has its place on the board already.
 */
import { PciFunction, type PciHost } from '../../devices/mod.ts';
import { PCI_SLOT, PORT } from '../layout.ts';

const INTEL = 0x8086;
const PIIX3_ISA = 0x7000;
const PIIX4_POWER = 0x7113;
const BRIDGE_ISA = 0x06_01_00;
const BRIDGE_OTHER = 0x06_80_00;
/** Power management: its base address, and that the ports there answer. */
const PMBA = 0x40;
const PMBA_IS_IO = 1;
const PMREGMISC = 0x80;
const PMREGMISC_ENABLED = 1;
/** Where the firmware looks for the power management, whatever else is in that slot. */
const POWER_PLACE = { device: 1, functionNumber: 3 } as const;

export function plugSouthBridge(pci: PciHost): void {
  const isa = new PciFunction({
    name: 'piix-isa',
    vendorId: INTEL,
    deviceId: PIIX3_ISA,
    classCode: BRIDGE_ISA,
  });
  pci.plug(PCI_SLOT.isa, 0, isa);
  const power = new PciFunction({
    name: 'piix-power',
    vendorId: INTEL,
    deviceId: PIIX4_POWER,
    classCode: BRIDGE_OTHER,
  });
  power.config.set(PMBA, 4, PORT.acpiPmUefi | PMBA_IS_IO);
  power.config.set(PMREGMISC, 1, PMREGMISC_ENABLED);
  pci.plug(POWER_PLACE.device, POWER_PLACE.functionNumber, power);
}
