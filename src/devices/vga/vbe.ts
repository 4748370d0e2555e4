/**
 * The extension by which virtual graphics cards of Bochs and QEMU set modes with a linear frame buffer:
 * an index and a data register of 16 bits. Bochs, "VBE_DISPI" in iodev/display/vga.h; QEMU,
 * docs/specs/standard-vga.
 *
 * ```
 *  0 id   1 width   2 height   3 bits per pixel   4 enable   5 bank   6 virtual width
 *  7 virtual height   8, 9 offset of the picture   10 memory in units of 64 KiB
 * ```
 */
import type { RegisterBank } from '../../bus/mod.ts';

export const VBE_REGISTER_COUNT = 11;
const ID = 0;
const WIDTH = 1;
const HEIGHT = 2;
const DEPTH = 3;
const ENABLE = 4;
const BANK = 5;
const VIRTUAL_WIDTH = 6;
const VIRTUAL_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const MEMORY = 10;

const OLDEST_ID = 0xb0c0;
const NEWEST_ID = 0xb0c5;
const ENABLED = 0x01;
/** the size registers tell what is possible */
const CAPABILITIES = 0x02;
const EIGHT_BIT_DAC = 0x20;
const KEEP_MEMORY = 0x80;

const MAX_WIDTH = 4096;
const MAX_HEIGHT = 4096;
const DEPTHS = [4, 8, 15, 16, 24, 32];

/** Where the picture lies in the card's memory. */
export interface VbeMode {
  readonly width: number;
  readonly height: number;
  /** 8, 15, 16, 24 or 32; 4 is a mode of the VGA's planes */
  readonly depth: number;
  /** bytes from line to line */
  readonly pitch: number;
  /** first byte */
  readonly start: number;
}

export interface VbeOptions {
  readonly memoryBytes: number;
  /** a mode was set; its memory is to be cleared if `clear` */
  readonly onEnable: (mode: VbeMode, clear: boolean) => void;
}

export class Vbe {
  /** The registers by number; saved and restored by the card. */
  readonly values = new Uint16Array(VBE_REGISTER_COUNT);
  /** Ports 0x1ce to 0x1d0: index at 0, data at 1 and 2. */
  readonly ports: RegisterBank;
  /** The registers in memory, two bytes each. */
  readonly bank: RegisterBank;
  index = 0;
  readonly #options: VbeOptions;

  constructor(options: VbeOptions) {
    this.#options = options;
    this.reset();
    this.ports = {
      read: (offset) => (offset === 0 ? this.index : this.#read(this.index)),
      write: (offset, size, value) => {
        if (offset === 0) {
          this.index = value & 0xffff;
          // An access of four bytes reaches both registers.
          if (size === 4) this.#write(this.index, value >>> 16);
        } else this.#write(this.index, value & 0xffff);
      },
    };
    this.bank = {
      read: (offset, size) => {
        const low = this.#read(offset >> 1);
        return size === 4 ? (low | (this.#read((offset >> 1) + 1) << 16)) >>> 0 : low;
      },
      write: (offset, size, value) => {
        this.#write(offset >> 1, value & 0xffff);
        if (size === 4) this.#write((offset >> 1) + 1, value >>> 16);
      },
    };
  }

  reset(): void {
    this.values.fill(0);
    this.values[ID] = NEWEST_ID;
    this.values[MEMORY] = this.#options.memoryBytes / 0x1_0000;
    this.index = 0;
  }

  /** True for values that writes of a guest could have left. */
  static accepts(values: readonly number[]): boolean {
    return (
      values.length === VBE_REGISTER_COUNT &&
      (values[WIDTH] as number) <= MAX_WIDTH &&
      (values[HEIGHT] as number) <= MAX_HEIGHT
    );
  }

  /** The mode that is set and fits into memory; undefined when the VGA's own modes hold. */
  get mode(): VbeMode | undefined {
    const at = (register: number): number => this.values[register] as number;
    const depth = at(DEPTH);
    if (!(at(ENABLE) & ENABLED) || !DEPTHS.includes(depth)) return undefined;
    const [width, height] = [at(WIDTH), at(HEIGHT)];
    const pitch = Math.ceil((Math.max(at(VIRTUAL_WIDTH), width) * bitsOf(depth)) / 8);
    const start = at(Y_OFFSET) * pitch + Math.floor((at(X_OFFSET) * bitsOf(depth)) / 8);
    if (width === 0 || height === 0) return undefined;
    if (start + pitch * height > this.#options.memoryBytes) return undefined;
    return { width, height, depth, pitch, start };
  }

  /** The table of colours has eight bits for each, not six. */
  get hasEightBitDac(): boolean {
    return ((this.values[ENABLE] as number) & EIGHT_BIT_DAC) !== 0;
  }

  get isEnabled(): boolean {
    return ((this.values[ENABLE] as number) & ENABLED) !== 0;
  }

  /** Where the window at A0000 begins, in bytes. */
  get bankOffset(): number {
    return this.isEnabled ? (this.values[BANK] as number) * 0x1_0000 : 0;
  }

  #read(register: number): number {
    if ((this.values[ENABLE] as number) & CAPABILITIES) {
      if (register === WIDTH) return MAX_WIDTH;
      if (register === HEIGHT) return MAX_HEIGHT;
      if (register === DEPTH) return 32;
    }
    return this.values[register] ?? 0;
  }

  #write(register: number, value: number): void {
    const { values } = this;
    switch (register) {
      case ID:
        if (value >= OLDEST_ID && value <= NEWEST_ID) values[ID] = value;
        break;
      case WIDTH:
        if (value <= MAX_WIDTH) values[WIDTH] = value & ~7;
        break;
      case HEIGHT:
        if (value <= MAX_HEIGHT) values[HEIGHT] = value;
        break;
      case DEPTH:
        if (value === 0) values[DEPTH] = 8;
        else if (DEPTHS.includes(value)) values[DEPTH] = value;
        break;
      case ENABLE:
        this.#enable(value);
        break;
      case BANK:
        if (value * 0x1_0000 < this.#options.memoryBytes) values[BANK] = value;
        break;
      case VIRTUAL_WIDTH:
        this.#setVirtualWidth(value);
        break;
      case X_OFFSET:
      case Y_OFFSET:
        values[register] = value;
        break;
      default: // the rest is read-only or not there
    }
  }

  #enable(value: number): void {
    const { values } = this;
    const wasEnabled = this.isEnabled;
    values[ENABLE] = value;
    if (!this.isEnabled) {
      values[BANK] = 0;
      return;
    }
    if (wasEnabled) return;
    values[BANK] = 0;
    values[X_OFFSET] = 0;
    values[Y_OFFSET] = 0;
    this.#setVirtualWidth(values[WIDTH] as number);
    const mode = this.mode;
    if (mode !== undefined) this.#options.onEnable(mode, (value & KEEP_MEMORY) === 0);
  }

  /** The height that then fits into memory follows. */
  #setVirtualWidth(value: number): void {
    const width = Math.max(value, this.values[WIDTH] as number);
    const pitch = (width * bitsOf(this.values[DEPTH] as number)) / 8;
    this.values[VIRTUAL_WIDTH] = width;
    const height = pitch === 0 ? 0 : Math.floor(this.#options.memoryBytes / pitch);
    this.values[VIRTUAL_HEIGHT] = Math.min(height, 0xffff);
  }
}

function bitsOf(depth: number): number {
  return depth === 15 ? 16 : depth;
}
