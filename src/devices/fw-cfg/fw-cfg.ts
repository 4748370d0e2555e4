/**
 * fw_cfg: how the board hands named files to its firmware. QEMU, "QEMU Firmware Configuration (fw_cfg)
 * Device", docs/specs/fw_cfg.
 *
 * ```
 *  0x510   selector, 16 bits: which item is read
 *  0x511   data: the next byte of the item, zero beyond its end
 *
 *  item 0x0000  "QEMU"        item 0x0001  version     item 0x0019  directory of files
 * ```
 * Left out: the DMA interface, writing items.
 */
import type { Device, RegisterBank } from '../../bus/mod.ts';
import { type Checked, type Persist, record, section, u16, u32 } from '../../state/mod.ts';

export const FW_CFG_PORTS = 2;

/** Items with numbers of their own, little-endian. */
export const FW_CFG_ITEM = {
  signature: 0x00,
  version: 0x01,
  cpuCount: 0x05,
  bootMenu: 0x0e,
  maxCpus: 0x0f,
  directory: 0x19,
  firstFile: 0x20,
} as const;

const NAME_BYTES = 56;
const ENTRY_BYTES = 64;

/** A file as firmware sees it. */
export interface FwCfgFile {
  /** up to 55 characters, for example `etc/e820` */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const checkState = record({ selected: u16, position: u32 });
export type FwCfgState = Checked<typeof checkState>;

export class FwCfg implements Device {
  readonly name = 'fw-cfg';
  readonly registers: RegisterBank;
  readonly persist: Persist<FwCfgState>;
  readonly #items = new Map<number, Uint8Array>();
  #selected = 0;
  #position = 0;

  /** Files are found by name in the order given, items by their number. */
  constructor(files: readonly FwCfgFile[], items: ReadonlyMap<number, Uint8Array> = new Map()) {
    this.#items.set(FW_CFG_ITEM.signature, new TextEncoder().encode('QEMU'));
    this.#items.set(FW_CFG_ITEM.version, Uint8Array.of(1, 0, 0, 0));
    this.#items.set(FW_CFG_ITEM.directory, directory(files));
    for (const [number, bytes] of items) this.#items.set(number, bytes);
    files.forEach(({ bytes }, index) => {
      this.#items.set(FW_CFG_ITEM.firstFile + index, bytes);
    });
    this.registers = {
      read: (offset, size) => {
        if (offset === 0) return 0;
        let value = 0;
        for (let byte = 0; byte < size; byte++) value |= this.#next() << (8 * byte);
        return value >>> 0;
      },
      write: (offset, size, value) => {
        if (offset !== 0 || size !== 2) return;
        this.#selected = value;
        this.#position = 0;
      },
    };
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({ selected: this.#selected, position: this.#position }),
      load: (state) => {
        this.#selected = state.selected;
        this.#position = state.position;
      },
    });
  }

  reset(): void {
    this.#selected = 0;
    this.#position = 0;
  }

  #next(): number {
    const item = this.#items.get(this.#selected);
    if (item === undefined || this.#position >= item.length) return 0;
    return item[this.#position++] as number;
  }
}

/** Number of files, then for each: size, item number, reserved, name. Big-endian. */
function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + ENTRY_BYTES * files.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach((file, index) => {
    const at = 4 + ENTRY_BYTES * index;
    const name = new TextEncoder().encode(file.name);
    if (name.length >= NAME_BYTES) throw new RangeError(`the name ${file.name} is too long`);
    view.setUint32(at, file.bytes.length);
    view.setUint16(at + 4, FW_CFG_ITEM.firstFile + index);
    bytes.set(name, at + 8);
  });
  return bytes;
}
