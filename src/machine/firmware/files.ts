/**
 * What the board tells its firmware by fw_cfg. The names are those that SeaBIOS looks for, "Runtime
 * config" in its documentation, and those of OVMF, in its README.
 */
import { FW_CFG_ITEM, type FwCfgFile } from '../../devices/fw-cfg/mod.ts';
import type { AcpiTables } from '../acpi/mod.ts';
import { E820, type E820Entry } from '../boot/mod.ts';
import { tableLoaderFiles } from './table-loader.ts';

export interface FirmwareFilesOptions {
  readonly memoryMap: readonly E820Entry[];
  /** built for the address zero: the firmware places them */
  readonly acpi: AcpiTables;
  /** I/O port of a serial line on which the firmware shows its screen and takes keys */
  readonly serialConsolePort?: number;
  /** option ROM of the graphics card */
  readonly videoRom?: FwCfgFile;
}

/** The files, in the order of their numbers. */
export function firmwareFiles(options: FirmwareFilesOptions): FwCfgFile[] {
  const { acpi, serialConsolePort, videoRom } = options;
  const files: FwCfgFile[] = [
    { name: 'etc/e820', bytes: e820File(options.memoryMap) },
    ...tableLoaderFiles(acpi),
    // UEFI firmware would give 64-bit registers places that the tables do not speak of.
    { name: 'opt/ovmf/X-PciMmio64Mb', bytes: new TextEncoder().encode('0') },
    { name: 'etc/boot-menu-wait', bytes: word(0, 4) },
  ];
  if (serialConsolePort !== undefined) {
    files.push({ name: 'etc/sercon-port', bytes: word(serialConsolePort, 2) });
  }
  if (videoRom !== undefined) files.push(videoRom);
  return files;
}

/** Items that have numbers instead of names. */
export function firmwareItems(cpus: number): Map<number, Uint8Array> {
  return new Map([
    [FW_CFG_ITEM.cpuCount, word(cpus, 2)],
    [FW_CFG_ITEM.maxCpus, word(cpus, 2)],
    [FW_CFG_ITEM.bootMenu, word(0, 2)],
  ]);
}

function word(value: number, size: 2 | 4): Uint8Array {
  return Uint8Array.from({ length: size }, (_, byte) => (value >>> (8 * byte)) & 0xff);
}

/** Entries of 20 bytes: address, length, type. Only RAM and reserved ranges above 1 MiB mean anything. */
function e820File(map: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(20 * map.length);
  const view = new DataView(bytes.buffer);
  map.forEach((entry, index) => {
    view.setBigUint64(20 * index, BigInt(entry.gpa), true);
    view.setBigUint64(20 * index + 8, BigInt(entry.bytes), true);
    view.setUint32(20 * index + 16, entry.type === E820.ram ? E820.ram : E820.reserved, true);
  });
  return bytes;
}
