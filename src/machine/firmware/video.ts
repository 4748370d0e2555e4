/** The graphics card of the board: a VGA behind a PCI function, whose option ROM comes by fw_cfg. */
import type { Bus, Clock } from '../../bus/mod.ts';
import { PciFunction, type PciHost } from '../../devices/mod.ts';
import {
  screenText,
  VGA_CRTC_PORTS,
  VGA_FIRST_PORT,
  VGA_PORTS,
  VGA_STATUS_PORTS,
  Vga,
} from '../../devices/vga/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { PCI_SLOT } from '../layout.ts';

const VENDOR_ID = 0x1234;
const DEVICE_ID = 0x1111;
/** The name under which firmware finds an option ROM for a card that has none itself. */
export const VIDEO_ROM_FILE = 'pci1234,1111.rom';
const TEXT_MEMORY = { gpa: 0xb_8000, bytes: 0x8000 } as const;

export interface VideoOptions {
  readonly clock: Clock;
  readonly ports: Bus;
  readonly pci: PciHost;
  readonly memory: GuestMemory;
}

export class Video {
  readonly vga: Vga;
  readonly #memory: GuestMemory;

  constructor({ clock, ports, pci, memory }: VideoOptions) {
    this.vga = new Vga({ clock });
    this.#memory = memory;
    ports.map(VGA_FIRST_PORT, VGA_PORTS, this.vga.registers);
    for (const port of VGA_CRTC_PORTS) ports.map(port, 2, this.vga.crtc);
    for (const port of VGA_STATUS_PORTS) ports.map(port, 1, this.vga.status);
    pci.plug(
      PCI_SLOT.vga,
      0,
      new PciFunction({
        name: 'vga-pci',
        vendorId: VENDOR_ID,
        deviceId: DEVICE_ID,
        classCode: 0x03_00_00,
      }),
    );
  }

  /** Lines of the text on the screen; undefined when it shows no text. */
  text(): string[] | undefined {
    const geometry = this.vga.text;
    if (geometry === undefined) return undefined;
    const memory = new Uint8Array(TEXT_MEMORY.bytes);
    this.#memory.read(TEXT_MEMORY.gpa, memory);
    return screenText(memory, geometry);
  }
}
