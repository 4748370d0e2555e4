/**
 * Memory of a VGA as the processor sees it from A0000 to BFFFF: four planes, of which the sequencer and
 * the graphics controller make bytes. IBM PS/2 "Video Subsystem" (1992), chapter 2, "Graphics
 * Controller Registers"; FreeVGA, "Accessing the VGA Display Memory".
 *
 * ```
 *  sequencer 2  map mask      4  memory mode: bit 3 chain four
 *  graphics  0 set/reset  1 enable set/reset  2 colour compare  3 rotate, function  4 read map
 *            5 mode: write mode 1:0, read mode 3, odd/even 4    6 miscellaneous: map 3:2
 *            7 colour don't care  8 bit mask
 * ```
 * Byte `a` of plane `p` lies at `4 a + p` of the card's memory, so that chained planes are plain bytes.
 */
import type { AccessSize, RegisterBank } from '../../bus/mod.ts';
import { byteBank } from '../byte-bank.ts';
import type { VideoMemory } from './video-memory.ts';

/** A0000 to BFFFF. */
export const VGA_WINDOW_BYTES = 0x2_0000;
const PLANE_BYTES = 0x1_0000;

const MAP_MASK = 2;
const MEMORY_MODE = 4;
const CHAIN_FOUR = 0x08;

const SET_RESET = 0;
const ENABLE_SET_RESET = 1;
const COLOUR_COMPARE = 2;
const ROTATE = 3;
const READ_MAP = 4;
const MODE = 5;
const MISCELLANEOUS = 6;
const COLOUR_CARE = 7;
const BIT_MASK = 8;
const READ_MODE_1 = 0x08;
const ODD_EVEN = 0x10;

/** Where the four maps of the miscellaneous register begin, and how long they are. */
const MAPS = [
  { start: 0, bytes: 0x2_0000 },
  { start: 0, bytes: 0x1_0000 },
  { start: 0x1_0000, bytes: 0x8000 },
  { start: 0x1_8000, bytes: 0x8000 },
] as const;

/** The registers that say what an access means. */
export interface PlaneRegisters {
  readonly sequencer: Uint8Array;
  readonly graphics: Uint8Array;
  /** added to addresses of chained planes: the bank that VBE selects */
  readonly bankOffset: number;
}

/** The four bytes last read, one of each plane, as one number. */
export class VgaPlanes {
  readonly window: RegisterBank;
  latches = 0;
  readonly #memory: VideoMemory;
  readonly #registers: () => PlaneRegisters;

  constructor(memory: VideoMemory, registers: () => PlaneRegisters) {
    this.#memory = memory;
    this.#registers = registers;
    const bytes = byteBank(
      (offset) => this.#read(offset),
      (offset, value) => this.#write(offset, value),
    );
    this.window = {
      read: (offset, size) => bytes.read(offset, size),
      write: (offset, size, value) => this.#writeWide(bytes, offset, size, value),
    };
  }

  /** Chained planes take wide writes whole. */
  #writeWide(bytes: RegisterBank, offset: number, size: AccessSize, value: number): void {
    const { sequencer } = this.#registers();
    const isWhole = ((sequencer[MAP_MASK] as number) & 0x0f) === 0x0f;
    if (size === 1 || !isWhole || !((sequencer[MEMORY_MODE] as number) & CHAIN_FOUR)) {
      bytes.write(offset, size, value);
      return;
    }
    const place = this.#chained(offset);
    if (place < 0 || place + size > this.#memory.bytes.length) return;
    for (let byte = 0; byte < size; byte++) {
      this.#memory.bytes[place + byte] = value >>> (8 * byte);
    }
    this.#memory.changed(place, size);
  }

  /** Offset in the map that is selected now; -1 outside of it. */
  #inMap(offset: number): number {
    const { graphics } = this.#registers();
    const map = MAPS[((graphics[MISCELLANEOUS] as number) >> 2) & 3] as (typeof MAPS)[number];
    const inMap = offset - map.start;
    return inMap >= 0 && inMap < map.bytes ? inMap : -1;
  }

  #chained(offset: number): number {
    const inMap = this.#inMap(offset);
    return inMap < 0 ? -1 : inMap + this.#registers().bankOffset;
  }

  #read(offset: number): number {
    const { sequencer, graphics } = this.#registers();
    const { bytes } = this.#memory;
    if ((sequencer[MEMORY_MODE] as number) & CHAIN_FOUR)
      return bytes[this.#chained(offset)] ?? 0xff;
    const address = this.#inMap(offset);
    if (address < 0) return 0xff;
    const mode = graphics[MODE] as number;
    const readMap = (graphics[READ_MAP] as number) & 3;
    if (mode & ODD_EVEN) {
      const place = ((address & ~1) << 1) | (readMap & 2) | (address & 1);
      return bytes[place] ?? 0xff;
    }
    const at = (address % PLANE_BYTES) * 4;
    let latches = 0;
    for (let plane = 0; plane < 4; plane++) {
      latches |= (bytes[at + plane] as number) << (8 * plane);
    }
    this.latches = latches >>> 0;
    if (!(mode & READ_MODE_1)) return (this.latches >>> (8 * readMap)) & 0xff;
    // A bit is one where the planes that are looked at have the colour asked for.
    const compare = graphics[COLOUR_COMPARE] as number;
    const care = graphics[COLOUR_CARE] as number;
    let result = 0xff;
    for (let plane = 0; plane < 4; plane++) {
      if (!((care >> plane) & 1)) continue;
      const bits = (this.latches >>> (8 * plane)) & 0xff;
      result &= (compare >> plane) & 1 ? bits : ~bits;
    }
    return result & 0xff;
  }

  #write(offset: number, value: number): void {
    const { sequencer, graphics } = this.#registers();
    const { bytes } = this.#memory;
    const mapMask = (sequencer[MAP_MASK] as number) & 0x0f;
    if ((sequencer[MEMORY_MODE] as number) & CHAIN_FOUR) {
      const place = this.#chained(offset);
      if (place < 0 || place >= bytes.length || !((mapMask >> (place & 3)) & 1)) return;
      bytes[place] = value;
      this.#memory.changed(place, 1);
      return;
    }
    const address = this.#inMap(offset);
    if (address < 0) return;
    if ((graphics[MODE] as number) & ODD_EVEN) {
      const plane = ((graphics[READ_MAP] as number) & 2) | (address & 1);
      const place = ((address & ~1) << 1) | plane;
      if (!((mapMask >> plane) & 1) || place >= bytes.length) return;
      bytes[place] = value;
      this.#memory.changed(place, 1);
      return;
    }
    const at = (address % PLANE_BYTES) * 4;
    const data = this.#planeData(graphics, value);
    for (let plane = 0; plane < 4; plane++) {
      if ((mapMask >> plane) & 1) bytes[at + plane] = data >>> (8 * plane);
    }
    this.#memory.changed(at, 4);
  }

  /** The bytes for all four planes that a write of `value` makes, by the write mode. */
  #planeData(graphics: Uint8Array, value: number): number {
    const setReset = spread(graphics[SET_RESET] as number);
    const rotate = graphics[ROTATE] as number;
    const count = rotate & 7;
    const rotated = ((value >> count) | (value << (8 - count))) & 0xff;
    let bitMask = graphics[BIT_MASK] as number;
    let data: number;
    switch ((graphics[MODE] as number) & 3) {
      case 1:
        return this.latches;
      case 2:
        data = spread(value);
        break;
      case 3:
        bitMask &= rotated;
        data = setReset;
        return combine(data, this.latches, everywhere(bitMask));
      default: {
        const enabled = spread(graphics[ENABLE_SET_RESET] as number);
        data = (everywhere(rotated) & ~enabled) | (setReset & enabled);
      }
    }
    return combine(
      operate((rotate >> 3) & 3, data, this.latches),
      this.latches,
      everywhere(bitMask),
    );
  }
}

/** Bits 0 to 3 as the bytes 00 or ff of four planes. */
function spread(bits: number): number {
  let value = 0;
  for (let plane = 0; plane < 4; plane++) if ((bits >> plane) & 1) value |= 0xff << (8 * plane);
  return value;
}

function everywhere(byte: number): number {
  return Math.imul(byte, 0x0101_0101);
}

function operate(code: number, data: number, latches: number): number {
  if (code === 1) return data & latches;
  if (code === 2) return data | latches;
  return code === 3 ? data ^ latches : data;
}

function combine(data: number, latches: number, mask: number): number {
  return (data & mask) | (latches & ~mask);
}
