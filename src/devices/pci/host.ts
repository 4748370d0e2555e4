/**
 * The PCI host bridge: configuration mechanism #1 at ports 0xcf8 to 0xcff, the enhanced mechanism (ECAM),
 * one bus, the mapping of base address registers, and the routing of interrupt pins.
 * PCI Local Bus Specification 3.0, section 3.2.2.3.2; PCI Express Base Specification, section 7.2.2.
 *
 * ```
 *  0xcf8   31 enable   23:16 bus   15:11 device   10:8 function   7:2 register
 *  ECAM    27:20 bus   19:15 device   14:12 function   11:0 register
 * ```
 * Pin p (INTA is 0) of device d drives interrupt line (d + p) mod 4. The bridge presents itself as Intel's
 * 82G33 (the north bridge of Q35), which stock kernels know to need no help. Left out: other buses,
 * bridges, extended configuration space (reads all ones), hot-plug.
 */
import {
  type AccessSize,
  type Bus,
  type Device,
  type InterruptLine,
  openBus,
  type RegisterBank,
} from '../../bus/mod.ts';
import { type Checked, type Persist, record, section, u32 } from '../../state/mod.ts';
import { PCI_CONFIG_BYTES } from './config-space.ts';
import { PciFunction, type PciWindow } from './function.ts';

/** Bytes of ECAM for one bus. */
export const ECAM_BUS_BYTES = 0x10_0000;
export const PCI_INTERRUPT_LINES = 4;

/** Intel 82441FX; its registers at 0x59 to 0x5f say which parts of low memory are ROM and which RAM. */
const I440FX = 0x1237;
const I440FX_PAM = 0x58;
const VIRTUAL_PC = { subsystemVendorId: 0x1af4, subsystemId: 0x1100 } as const;

const ADDRESS_ENABLE = 0x8000_0000;
const ADDRESS_WRITABLE = 0x80ff_fffc;

const checkState = record({
  address: u32,
  /** checked by the bridge's own section */
  bridge: (value: unknown) => value,
});
export type PciHostState = Checked<typeof checkState>;

export interface PciHostOptions {
  readonly ioBus: Bus;
  readonly memoryBus: Bus;
  /** Where pins lead: four lines, level-triggered. */
  readonly interruptLines: readonly InterruptLine[];
  /** The bridge presents itself as the one that firmware for virtual PCs knows how to set up. */
  readonly firmwareBridge?: boolean;
  /** Answers byte accesses of port 0xcf9. */
  readonly resetPort?: RegisterBank;
}

interface Slot {
  readonly device: number;
  readonly functionNumber: number;
  readonly function: PciFunction;
  mapped: PciWindow[];
}

export class PciHost implements Device {
  readonly name = 'pci-host';
  /** Ports 0xcf8 to 0xcff. */
  readonly registers: RegisterBank;
  /** One mebibyte of memory-mapped configuration space. */
  readonly ecam: RegisterBank;
  readonly persist: Persist<PciHostState>;
  /** The bridge's own function, 00:00.0. */
  readonly bridge: PciFunction;
  readonly #options: PciHostOptions;
  readonly #slots = new Map<number, Slot>();
  #address = 0;

  constructor(options: PciHostOptions) {
    this.#options = options;
    this.registers = {
      read: (offset, size) => this.#readPort(offset, size),
      write: (offset, size, value) => this.#writePort(offset, size, value),
    };
    this.ecam = {
      read: (offset, size) => this.#readConfig(offset >> 12, offset & 0xfff, size),
      write: (offset, size, value) => this.#writeConfig(offset >> 12, offset & 0xfff, size, value),
    };
    this.bridge = new PciFunction({
      name: 'pci-bridge',
      vendorId: 0x8086,
      deviceId: options.firmwareBridge === true ? I440FX : 0x29c0,
      classCode: 0x06_00_00,
      ...(options.firmwareBridge === true ? VIRTUAL_PC : {}),
    });
    if (options.firmwareBridge === true) this.bridge.config.allow(I440FX_PAM, 4, 0xffff_ff00);
    if (options.firmwareBridge === true) this.bridge.config.allow(I440FX_PAM + 4, 4, 0xffff_ffff);
    this.plug(0, 0, this.bridge);
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({ address: this.#address, bridge: this.bridge.persist.save() }),
      load: (state) => {
        this.bridge.persist.restore(state.bridge);
        this.#address = (state.address & ADDRESS_WRITABLE) >>> 0;
      },
    });
  }

  /** Resets the bridge. Functions are reset by the devices that own them. */
  reset(): void {
    this.#address = 0;
    this.bridge.reset();
  }

  /** Plugs a function into `device` (0 to 31), `functionNumber` (0 to 7). */
  plug(device: number, functionNumber: number, plugged: PciFunction): void {
    const key = (device << 3) | functionNumber;
    if (this.#slots.has(key)) throw new RangeError(`PCI slot ${device}.${functionNumber} is taken`);
    const slot: Slot = { device, functionNumber, function: plugged, mapped: [] };
    this.#slots.set(key, slot);
    plugged.attach({
      decodeChanged: () => this.#remap(slot),
      interruptChanged: () => this.#route(slot),
    });
    this.#remap(slot);
  }

  /** The plugged functions in order of device and function number. */
  get functions(): readonly PciFunction[] {
    return [...this.#slots.entries()]
      .sort(([left], [right]) => left - right)
      .map(([, slot]) => slot.function);
  }

  #readPort(offset: number, size: AccessSize): number {
    if (offset === 1 && size === 1 && this.#options.resetPort !== undefined) {
      return this.#options.resetPort.read(0, 1);
    }
    if (offset < 4) {
      // Only a whole access is the address register; the rest passes by it.
      return offset === 0 && size === 4 ? this.#address : openBus(size);
    }
    if (!(this.#address & ADDRESS_ENABLE)) return openBus(size);
    return this.#readConfig(this.#selected(), (this.#address & 0xfc) | (offset & 3), size);
  }

  #writePort(offset: number, size: AccessSize, value: number): void {
    if (offset === 1 && size === 1) {
      this.#options.resetPort?.write(0, 1, value);
    } else if (offset < 4) {
      if (offset === 0 && size === 4) this.#address = (value & ADDRESS_WRITABLE) >>> 0;
    } else if (this.#address & ADDRESS_ENABLE) {
      this.#writeConfig(this.#selected(), (this.#address & 0xfc) | (offset & 3), size, value);
    }
  }

  /** Bus, device and function of the address register. */
  #selected(): number {
    return (this.#address >>> 8) & 0xffff;
  }

  #readConfig(key: number, register: number, size: AccessSize): number {
    const slot = this.#slots.get(key);
    if (slot === undefined || register + size > PCI_CONFIG_BYTES) return openBus(size);
    return slot.function.readConfig(register, size);
  }

  #writeConfig(key: number, register: number, size: AccessSize, value: number): void {
    if (register + size > PCI_CONFIG_BYTES) return;
    this.#slots.get(key)?.function.writeConfig(register, size, value);
  }

  /** Maps what the function decodes now. A window on top of another claim stays unmapped. */
  #remap(slot: Slot): void {
    const busOf = (window: PciWindow) =>
      window.space === 'io' ? this.#options.ioBus : this.#options.memoryBus;
    for (const window of slot.mapped) busOf(window).unmap(window.address);
    const decoded = slot.function.windows();
    slot.function.bars.forEach((bar, index) => {
      bar?.onMove?.(decoded.find((window) => window.bar === index)?.address);
    });
    slot.mapped = decoded.filter((window) => {
      try {
        busOf(window).map(window.address, window.bytes, window.bank);
        return true;
      } catch {
        return false;
      }
    });
  }

  #route(slot: Slot): void {
    const pin = slot.function.interruptPin;
    if (pin === 0) return;
    const index = interruptLineOf(slot.device, pin);
    let level = false;
    for (const other of this.#slots.values()) {
      const otherPin = other.function.interruptPin;
      if (otherPin === 0 || interruptLineOf(other.device, otherPin) !== index) continue;
      level ||= other.function.interruptLevel;
    }
    this.#options.interruptLines[index]?.set(level);
  }
}

/** Which of the four lines pin `pin` (1 to 4) of `device` drives. */
export function interruptLineOf(device: number, pin: number): number {
  return (device + pin - 1) % PCI_INTERRUPT_LINES;
}
