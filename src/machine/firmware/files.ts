/**
 * What the board tells its firmware by fw_cfg. The names are those that SeaBIOS looks for: SeaBIOS,
 * "Runtime config", and `src/fw/romfile_loader.h` for the commands that place ACPI tables.
 */
import { FW_CFG_ITEM, type FwCfgFile } from '../../devices/fw-cfg/mod.ts';
import type { AcpiTables } from '../acpi/mod.ts';
import { E820, type E820Entry } from '../boot/mod.ts';

const LOADER_ENTRY_BYTES = 128;
const LOADER_ALLOCATE = 1;
const LOADER_ZONE_FSEG = 2;
const RSDP_FILE = 'etc/acpi/rsdp';
const RSDP_ALIGNMENT = 16;

export interface FirmwareFilesOptions {
  readonly memoryMap: readonly E820Entry[];
  readonly acpi: AcpiTables;
  /** I/O port of a serial line on which the firmware shows its screen and takes keys */
  readonly serialConsolePort?: number;
  /** option ROM of the graphics card */
  readonly videoRom?: FwCfgFile;
}

/** The files, in the order of their numbers. */
export function firmwareFiles(options: FirmwareFilesOptions): FwCfgFile[] {
  const { acpi, serialConsolePort, videoRom } = options;
  const rsdp = acpi.tables.find(({ gpa }) => gpa === acpi.rsdpGpa);
  if (rsdp === undefined) throw new Error('ACPI tables without a root pointer');
  const files: FwCfgFile[] = [
    { name: 'etc/e820', bytes: e820File(options.memoryMap) },
    // The tables are in memory; firmware has to place the pointer where systems look for it.
    { name: RSDP_FILE, bytes: rsdp.bytes },
    { name: 'etc/table-loader', bytes: allocate(RSDP_FILE, RSDP_ALIGNMENT, LOADER_ZONE_FSEG) },
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

function allocate(file: string, alignment: number, zone: number): Uint8Array {
  const entry = new Uint8Array(LOADER_ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  view.setUint32(0, LOADER_ALLOCATE, true);
  entry.set(new TextEncoder().encode(file), 4);
  view.setUint32(60, alignment, true);
  view.setUint8(64, zone);
  return entry;
}
