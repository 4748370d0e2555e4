/**
 * The differentiated system description: the devices that a guest cannot find by itself.
 * ACPI specification 6.5, chapters 5.3 and 6.
 * The power button is fixed hardware (see `fadt.ts`), so it has no device here.
 */
import { ECAM_BUS_BYTES, interruptLineOf, SLEEP_TYPE_S5 } from '../../devices/mod.ts';
import {
  type Aml,
  concat,
  device,
  eisaId,
  integer,
  name,
  packageOf,
  scope,
  string,
} from './aml.ts';
import type { AcpiDescription, AcpiPciDescription } from './description.ts';
import {
  busRange,
  ioPorts,
  ioWindow,
  isaInterrupt,
  memoryFixed,
  memoryWindow,
  resourceTemplate,
} from './resources.ts';

const PCI_DEVICES = 32;
const PCI_PINS = 4;
/** Ports of the board that no device object below claims: timer control, POST, fast A20, ELCR. */
const BOARD_PORTS: readonly (readonly [port: number, length: number])[] = [
  [0x61, 1],
  [0x80, 1],
  [0x92, 1],
  [0x4d0, 2],
];

/** The AML of the DSDT, without its table header. */
export function buildDsdt(description: AcpiDescription): Aml {
  const { pci } = description;
  return concat(
    name(
      '\\_S5',
      packageOf(integer(SLEEP_TYPE_S5), integer(SLEEP_TYPE_S5), integer(0), integer(0)),
    ),
    scope(
      '\\_SB',
      ...description.apicIds.map((_, index) => processor(index)),
      boardResources(description),
      ...(pci === undefined ? [] : [pciRoot(pci)]),
      ...legacyDevices(description),
    ),
  );
}

/** A processor; its `_UID` is the one of its MADT entry. */
function processor(index: number): Aml {
  return device(
    `C${index.toString(16).toUpperCase().padStart(3, '0')}`,
    name('_HID', string('ACPI0007')),
    name('_UID', integer(index)),
  );
}

/** What must not be given to anyone else: ports of the board, and ECAM, which Linux uses only if reserved. */
function boardResources({ pmPort, pci }: AcpiDescription): Aml {
  const ecam = pci?.ecam;
  return device(
    'MBRD',
    name('_HID', eisaId('PNP0C02')),
    name('_UID', integer(0)),
    name(
      '_CRS',
      resourceTemplate(
        ...BOARD_PORTS.map(([port, length]) => ioPorts(port, length)),
        ioPorts(pmPort, 16),
        ...(ecam === undefined ? [] : [memoryFixed(ecam.gpa, (ecam.lastBus + 1) * ECAM_BUS_BYTES)]),
      ),
    ),
  );
}

function pciRoot(pci: AcpiPciDescription): Aml {
  return device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_SEG', integer(0)),
    name('_BBN', integer(0)),
    name(
      '_CRS',
      resourceTemplate(
        busRange(0, pci.ecam?.lastBus ?? 0),
        ioPorts(0xcf8, 8),
        ...pci.ioWindows.map(({ start, end }) => ioWindow(start, end)),
        ...pci.memoryWindows.map(({ start, end }) => memoryWindow(start, end)),
      ),
    ),
    name('_PRT', interruptRouting(pci.firstGsi)),
  );
}

/** For each device and pin the global system interrupt, without link devices. */
function interruptRouting(firstGsi: number): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < PCI_DEVICES; slot++) {
    for (let pin = 0; pin < PCI_PINS; pin++) {
      const gsi = firstGsi + interruptLineOf(slot, pin + 1);
      entries.push(
        packageOf(integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(gsi)),
      );
    }
  }
  return packageOf(...entries);
}

function legacyDevices(description: AcpiDescription): Aml[] {
  const { i8042, rtcCenturyIndex, serialPorts } = description;
  const devices = serialPorts.map(({ port, irq }, index) =>
    legacyDevice(`COM${index + 1}`, 'PNP0501', index + 1, ioPorts(port, 8), isaInterrupt(irq)),
  );
  if (rtcCenturyIndex !== undefined) {
    devices.push(legacyDevice('RTC', 'PNP0B00', 0, ioPorts(0x70, 2), isaInterrupt(8)));
  }
  if (i8042) {
    devices.push(
      legacyDevice('KBD', 'PNP0303', 0, ioPorts(0x60, 1), ioPorts(0x64, 1), isaInterrupt(1)),
      legacyDevice('MOU', 'PNP0F13', 0, isaInterrupt(12)),
    );
  }
  return devices;
}

function legacyDevice(
  deviceName: string,
  hardwareId: string,
  uid: number,
  ...resources: readonly Aml[]
): Aml {
  return device(
    deviceName,
    name('_HID', eisaId(hardwareId)),
    name('_UID', integer(uid)),
    name('_STA', integer(0x0f)), // present, enabled, shown, working
    name('_CRS', resourceTemplate(...resources)),
  );
}
