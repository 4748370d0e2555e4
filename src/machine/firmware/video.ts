/** The graphics card of the board: a VGA behind a PCI function, whose option ROM comes by fw_cfg. */
import { type Bus, type Clock, openBus } from '../../bus/mod.ts';
import { PciFunction, type PciHost } from '../../devices/mod.ts';
import {
  VBE_FIRST_PORT,
  VBE_PORTS,
  VGA_CRTC_PORTS,
  VGA_FIRST_PORT,
  VGA_PORTS,
  VGA_REGISTER_BYTES,
  VGA_STATUS_PORTS,
  VGA_WINDOW_BYTES,
  Vga,
} from '../../devices/vga/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { PCI_SLOT, VIDEO_WINDOW } from '../layout.ts';

const VENDOR_ID = 0x1234;
const DEVICE_ID = 0x1111;
const REVISION = 2;
/** The name under which firmware finds an option ROM for a card that has none itself. */
export const VIDEO_ROM_FILE = 'pci1234,1111.rom';
/** Memory of the card: the frame buffer. */
export const VIDEO_MEMORY_BYTES = 16 * 2 ** 20;

export interface VideoOptions {
  readonly clock: Clock;
  readonly ports: Bus;
  readonly mmio: Bus;
  readonly pci: PciHost;
  readonly memory: GuestMemory;
}

/** Plugs the card. Its memory comes out of the frame pool. */
export function plugVideo({ clock, ports, mmio, pci, memory }: VideoOptions): Vga {
  const videoMemory = memory.addDeviceMemory(VIDEO_MEMORY_BYTES);
  const vga = new Vga({ clock, memory: videoMemory });
  ports.map(VGA_FIRST_PORT, VGA_PORTS, vga.registers);
  ports.map(VBE_FIRST_PORT, VBE_PORTS, vga.vbe);
  for (const port of VGA_CRTC_PORTS) ports.map(port, 2, vga.crtc);
  for (const port of VGA_STATUS_PORTS) ports.map(port, 1, vga.status);
  mmio.map(VIDEO_WINDOW.start, VGA_WINDOW_BYTES, vga.window);
  pci.plug(
    PCI_SLOT.vga,
    0,
    new PciFunction({
      name: 'vga-pci',
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID,
      revision: REVISION,
      classCode: 0x03_00_00,
      bars: [
        {
          kind: 'memory32',
          bytes: VIDEO_MEMORY_BYTES,
          prefetchable: true,
          // Reached only where other memory lies on top.
          bank: { read: (_offset, size) => openBus(size), write: () => {} },
          onMove: (gpa) => videoMemory.moveTo(gpa),
        },
        undefined,
        { kind: 'memory32', bytes: VGA_REGISTER_BYTES, bank: vga.memoryRegisters },
      ],
    }),
  );
  return vga;
}
