/**
 * The registers of a VGA as far as text modes need them, and the text on the screen.
 * IBM Personal System/2 "Video Subsystem" technical reference (1992), chapters 2 and 4.
 *
 * ```
 *  3c0 attribute   3c2 miscellaneous, input status 0   3c4 sequencer   3c6..3c9 DAC
 *  3ca feature     3cc miscellaneous                   3ce graphics    3b4/3d4 CRTC   3ba/3da status 1
 * ```
 * In text modes the CPU sees characters and attributes at B8000, as even and odd bytes, so plain memory
 * serves for it. Left out: graphics modes, the planes and their fonts, what the timing does to a monitor.
 */
import type { Clock, Device, RegisterBank } from '../../bus/mod.ts';
import {
  boolean,
  bytes,
  type Checked,
  integer,
  type Persist,
  record,
  section,
  u8,
} from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';

export const VGA_FIRST_PORT = 0x3c0;
export const VGA_PORTS = 0x10;
/** index and data of the CRTC, colour and monochrome */
export const VGA_CRTC_PORTS = [0x3d4, 0x3b4] as const;
/** input status 1, colour and monochrome */
export const VGA_STATUS_PORTS = [0x3da, 0x3ba] as const;

const CRTC = {
  horizontalEnd: 0x01,
  overflow: 0x07,
  maximumScanLine: 0x09,
  cursorStart: 0x0a,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  protect: 0x11,
  verticalEnd: 0x12,
  offset: 0x13,
} as const;

const CRTC_PROTECT = 0x80;
const GRAPHICS_MISCELLANEOUS = 6;
const GRAPHICS_MODE = 0x01;
const ATTRIBUTE_COUNT = 0x15;
const ATTRIBUTE_INDEX = 0x3f;
/** A frame takes 1/70 s; the last part of it is the vertical retrace, and each line has a blank. */
const FRAME_NANOSECONDS = 1e9 / 70;
const LINE_NANOSECONDS = FRAME_NANOSECONDS / 449;
const STATUS_BLANK = 0x01;
const STATUS_RETRACE = 0x08;

const checkState = record({
  miscellaneous: u8,
  featureControl: u8,
  sequencerIndex: u8,
  sequencer: bytes(8),
  graphicsIndex: u8,
  graphics: bytes(16),
  attributeIndex: u8,
  attributeIsData: boolean,
  attribute: bytes(32),
  crtcIndex: u8,
  crtc: bytes(32),
  dacMask: u8,
  dacRead: integer(0, 767),
  dacWrite: integer(0, 767),
  dacIsReading: boolean,
  dac: bytes(768),
});
export type VgaState = Checked<typeof checkState>;

function powerOn(): VgaState {
  return {
    miscellaneous: 0x01,
    featureControl: 0,
    sequencerIndex: 0,
    sequencer: new Uint8Array(8),
    graphicsIndex: 0,
    graphics: new Uint8Array(16),
    attributeIndex: 0,
    attributeIsData: false,
    attribute: new Uint8Array(32),
    crtcIndex: 0,
    crtc: new Uint8Array(32),
    dacMask: 0xff,
    dacRead: 0,
    dacWrite: 0,
    dacIsReading: false,
    dac: new Uint8Array(768),
  };
}

/** Where the text lies, in characters; the memory is that at B8000. */
export interface TextGeometry {
  readonly columns: number;
  readonly rows: number;
  /** first character, counted from B8000 */
  readonly start: number;
  /** characters from one row to the next */
  readonly pitch: number;
  /** place of the cursor, counted as `start`; undefined when it is off */
  readonly cursor: number | undefined;
}

export class Vga implements Device {
  readonly name = 'vga';
  /** Ports 0x3c0 to 0x3cf. */
  readonly registers: RegisterBank;
  /** Ports 0x3d4, 0x3d5. */
  readonly crtc: RegisterBank;
  /** Port 0x3da. */
  readonly status: RegisterBank;
  readonly persist: Persist<VgaState>;
  readonly #clock: Clock;
  #state = powerOn();

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
    this.registers = byteBank(
      (offset) => this.#read(offset),
      (offset, value) => this.#write(offset, value),
    );
    this.crtc = byteBank(
      (offset) => {
        const { crtc, crtcIndex } = this.#state;
        return offset === 0 ? crtcIndex : (crtc[crtcIndex] ?? 0);
      },
      (offset, value) => this.#writeCrtc(offset, value),
    );
    this.status = byteBank(
      () => this.#readStatus(),
      (_offset, value) => {
        this.#state.featureControl = value;
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => structuredCloneState(this.#state),
      load: (state) => {
        this.#state = state;
      },
    });
  }

  reset(): void {
    this.#state = powerOn();
  }

  /** The screen in a text mode; undefined in a graphics mode and before any was set. */
  get text(): TextGeometry | undefined {
    const { crtc, graphics } = this.#state;
    const at = (index: number): number => crtc[index] as number;
    if ((graphics[GRAPHICS_MISCELLANEOUS] as number) & GRAPHICS_MODE) return undefined;
    const columns = at(CRTC.horizontalEnd) + 1;
    const overflow = at(CRTC.overflow);
    const lines = (at(CRTC.verticalEnd) | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
    const rows = Math.floor(lines / ((at(CRTC.maximumScanLine) & 0x1f) + 1));
    if (columns < 2 || rows < 1) return undefined;
    const isCursorOff = (at(CRTC.cursorStart) & 0x20) !== 0;
    return {
      columns,
      rows,
      start: (at(CRTC.startHigh) << 8) | at(CRTC.startLow),
      pitch: at(CRTC.offset) * 2 || columns,
      cursor: isCursorOff ? undefined : (at(CRTC.cursorHigh) << 8) | at(CRTC.cursorLow),
    };
  }

  #read(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case 0x0:
        return state.attributeIndex;
      case 0x1:
        return state.attribute[state.attributeIndex & 0x1f] ?? 0;
      case 0x2:
        return 0x10; // a monitor is there
      case 0x4:
        return state.sequencerIndex;
      case 0x5:
        return state.sequencer[state.sequencerIndex] ?? 0;
      case 0x6:
        return state.dacMask;
      case 0x7:
        return state.dacIsReading ? 3 : 0;
      case 0x8:
        return Math.floor(state.dacWrite / 3);
      case 0x9: {
        const value = state.dac[state.dacRead] as number;
        state.dacRead = (state.dacRead + 1) % 768;
        return value;
      }
      case 0xa:
        return state.featureControl;
      case 0xc:
        return state.miscellaneous;
      case 0xe:
        return state.graphicsIndex;
      case 0xf:
        return state.graphics[state.graphicsIndex] ?? 0;
      default:
        return 0xff;
    }
  }

  #write(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case 0x0:
        if (!state.attributeIsData) state.attributeIndex = value & ATTRIBUTE_INDEX;
        else if ((state.attributeIndex & 0x1f) < ATTRIBUTE_COUNT) {
          state.attribute[state.attributeIndex & 0x1f] = value;
        }
        state.attributeIsData = !state.attributeIsData;
        break;
      case 0x2:
        state.miscellaneous = value;
        break;
      case 0x4:
        state.sequencerIndex = value & 0x7;
        break;
      case 0x5:
        state.sequencer[state.sequencerIndex] = value;
        break;
      case 0x6:
        state.dacMask = value;
        break;
      case 0x7:
        state.dacRead = value * 3;
        state.dacIsReading = true;
        break;
      case 0x8:
        state.dacWrite = value * 3;
        state.dacIsReading = false;
        break;
      case 0x9:
        state.dac[state.dacWrite] = value & 0x3f;
        state.dacWrite = (state.dacWrite + 1) % 768;
        break;
      case 0xe:
        state.graphicsIndex = value & 0xf;
        break;
      case 0xf:
        state.graphics[state.graphicsIndex] = value;
        break;
    }
  }

  #writeCrtc(offset: number, value: number): void {
    const { crtc, crtcIndex } = this.#state;
    if (offset === 0) {
      this.#state.crtcIndex = value & 0x1f;
      return;
    }
    const isProtected = ((crtc[CRTC.protect] as number) & CRTC_PROTECT) !== 0;
    if (!isProtected || crtcIndex > CRTC.overflow) crtc[crtcIndex] = value;
    // Of the protected registers, the overflow register lets one bit through: line compare.
    else if (crtcIndex === CRTC.overflow) {
      crtc[crtcIndex] = ((crtc[crtcIndex] as number) & ~0x10) | (value & 0x10);
    }
  }

  /** Also makes the attribute controller expect an index. */
  #readStatus(): number {
    this.#state.attributeIsData = false;
    const now = this.#clock.now();
    const inFrame = now % FRAME_NANOSECONDS;
    if (inFrame > FRAME_NANOSECONDS * 0.92) return STATUS_BLANK | STATUS_RETRACE;
    return now % LINE_NANOSECONDS > LINE_NANOSECONDS * 0.8 ? STATUS_BLANK : 0;
  }
}

function structuredCloneState(state: VgaState): VgaState {
  return {
    ...state,
    sequencer: state.sequencer.slice(),
    graphics: state.graphics.slice(),
    attribute: state.attribute.slice(),
    crtc: state.crtc.slice(),
    dac: state.dac.slice(),
  };
}
