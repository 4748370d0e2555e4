/**
 * A VGA with the extension for linear frame buffers that virtual machines have.
 * IBM Personal System/2 "Video Subsystem" technical reference (1992), chapters 2 and 4; QEMU,
 * docs/specs/standard-vga.
 *
 * ```
 *  3c0 attribute   3c2 miscellaneous, input status 0   3c4 sequencer   3c6..3c9 DAC
 *  3ca feature     3cc miscellaneous                   3ce graphics    3b4/3d4 CRTC   3ba/3da status 1
 *  1ce VBE index   1cf, 1d0 VBE data
 * ```
 * The picture memory belongs to the card but is not part of its saved state: it is saved with guest
 * memory. Left out: the interleaved modes of the CGA, split screens, panning by pixels, blinking, what the
 * timing does to a monitor.
 */
import { type Clock, type Device, openBus, type RegisterBank } from '../../bus/mod.ts';
import { type Persist, refine, section } from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';
import { CRTC, isBlanked, planarGeometry, type TextGeometry, textGeometry } from './geometry.ts';
import { Painter, type Picture } from './picture.ts';
import { VgaPlanes } from './planes.ts';
import { screenText } from './text-screen.ts';
import { Vbe } from './vbe.ts';
import { checkVgaState, powerOnState, type VgaState } from './vga-state.ts';
import type { VideoMemory } from './video-memory.ts';

export const VGA_FIRST_PORT = 0x3c0;
export const VGA_PORTS = 0x10;
/** index and data of the CRTC, colour and monochrome */
export const VGA_CRTC_PORTS = [0x3d4, 0x3b4] as const;
/** input status 1, colour and monochrome */
export const VGA_STATUS_PORTS = [0x3da, 0x3ba] as const;
export const VBE_FIRST_PORT = 0x1ce;
export const VBE_PORTS = 3;

const CRTC_PROTECT = 0x80;
const ATTRIBUTE_COUNT = 0x15;
const ATTRIBUTE_INDEX = 0x3f;
/** A frame takes 1/70 s; the last part of it is the vertical retrace, and each line has a blank. */
const FRAME_NANOSECONDS = 1e9 / 70;
const LINE_NANOSECONDS = FRAME_NANOSECONDS / 449;
const STATUS_BLANK = 0x01;
const STATUS_RETRACE = 0x08;

/** Registers of the card in memory: those at 0x3c0 to 0x3df, and those of VBE. */
const MEMORY_VGA = 0x400;
const MEMORY_VGA_BYTES = 0x20;
const MEMORY_VBE = 0x500;
const MEMORY_VBE_BYTES = 0x16;
export const VGA_REGISTER_BYTES = 0x1000;

export interface VgaOptions {
  readonly clock: Clock;
  readonly memory: VideoMemory;
}

export class Vga implements Device {
  readonly name = 'vga';
  /** Ports 0x3c0 to 0x3cf. */
  readonly registers: RegisterBank;
  /** Ports 0x3d4, 0x3d5. */
  readonly crtc: RegisterBank;
  /** Port 0x3da. */
  readonly status: RegisterBank;
  /** Ports 0x1ce to 0x1d0. */
  readonly vbe: RegisterBank;
  /** A0000 to BFFFF. */
  readonly window: RegisterBank;
  /** All of these once more, in a page of memory. */
  readonly memoryRegisters: RegisterBank;
  readonly persist: Persist<VgaState>;
  readonly #clock: Clock;
  readonly #memory: VideoMemory;
  readonly #planes: VgaPlanes;
  readonly #vbe: Vbe;
  #state = powerOnState();

  constructor({ clock, memory }: VgaOptions) {
    this.#clock = clock;
    this.#memory = memory;
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
    this.#vbe = new Vbe({
      memoryBytes: memory.bytes.length,
      onEnable: (mode, clear) => {
        this.#chainPlanes();
        if (!clear) return;
        const bytes = mode.pitch * mode.height;
        memory.bytes.fill(0, 0, bytes);
        memory.changed(0, bytes);
      },
    });
    this.vbe = this.#vbe.ports;
    this.#planes = new VgaPlanes(memory, () => ({
      sequencer: this.#state.sequencer,
      graphics: this.#state.graphics,
      bankOffset: this.#vbe.bankOffset,
    }));
    this.window = this.#planes.window;
    this.memoryRegisters = this.#memoryRegisters();
    this.persist = section({
      name: this.name,
      version: 2,
      check: refine(checkVgaState, ({ vbe }) => Vbe.accepts(vbe), 'the modes of this card'),
      save: () => ({
        ...copyOf(this.#state),
        latches: this.#planes.latches,
        vbeIndex: this.#vbe.index,
        vbe: [...this.#vbe.values],
      }),
      load: (state) => {
        this.#state = copyOf(state);
        this.#planes.latches = state.latches;
        this.#vbe.index = state.vbeIndex;
        this.#vbe.values.set(state.vbe);
      },
    });
  }

  reset(): void {
    this.#state = powerOnState();
    this.#planes.latches = 0;
    this.#vbe.reset();
  }

  /** The screen in a text mode; undefined in a graphics mode and before any was set. */
  get text(): TextGeometry | undefined {
    return this.#vbe.isEnabled ? undefined : textGeometry(this.#state);
  }

  /** Lines of the text on the screen; undefined when it shows no text. */
  lines(): string[] | undefined {
    const geometry = this.text;
    return geometry === undefined ? undefined : screenText(this.#memory.bytes, geometry);
  }

  /** What the screen shows; undefined before a mode was set, or in one that is left out. */
  picture(): Picture | undefined {
    const painter = new Painter(this.#state, this.#memory.bytes, this.#vbe.hasEightBitDac);
    const mode = this.#vbe.mode;
    if (mode !== undefined && mode.depth > 4) return painter.linear(mode);
    const text = this.text;
    if (text !== undefined) return isBlanked(this.#state) ? undefined : painter.text(text);
    const planar = planarGeometry(this.#state);
    return planar === undefined ? undefined : painter.planar(planar);
  }

  /** A mode of VBE is seen through the window at A0000 as plain bytes. */
  #chainPlanes(): void {
    const { sequencer, graphics, crtc } = this.#state;
    sequencer[2] = 0x0f;
    sequencer[4] = (sequencer[4] as number) | 0x08;
    graphics[5] = ((graphics[5] as number) & ~0x60) | 0x40;
    graphics[6] = ((graphics[6] as number) & ~0x0c) | 0x05;
    crtc[CRTC.modeControl] = (crtc[CRTC.modeControl] as number) | 0x03;
  }

  #memoryRegisters(): RegisterBank {
    const vga = byteBank(
      (offset) => this.#readPort(offset),
      (offset, value) => this.#writePort(offset, value),
    );
    return {
      read: (offset, size) => {
        if (offset >= MEMORY_VGA && offset + size <= MEMORY_VGA + MEMORY_VGA_BYTES) {
          return vga.read(offset - MEMORY_VGA, size);
        }
        if (offset >= MEMORY_VBE && offset + size <= MEMORY_VBE + MEMORY_VBE_BYTES) {
          return this.#vbe.bank.read(offset - MEMORY_VBE, size);
        }
        // No EDID, and none of the further registers of later cards.
        return offset < MEMORY_VGA ? 0 : openBus(size);
      },
      write: (offset, size, value) => {
        if (offset >= MEMORY_VGA && offset + size <= MEMORY_VGA + MEMORY_VGA_BYTES) {
          vga.write(offset - MEMORY_VGA, size, value);
        } else if (offset >= MEMORY_VBE && offset + size <= MEMORY_VBE + MEMORY_VBE_BYTES) {
          this.#vbe.bank.write(offset - MEMORY_VBE, size, value);
        }
      },
    };
  }

  /** Ports 0x3c0 to 0x3df by their offset. */
  #readPort(offset: number): number {
    if (offset < VGA_PORTS) return this.#read(offset);
    if (offset === 0x14 || offset === 0x15) return this.crtc.read(offset - 0x14, 1);
    return offset === 0x1a ? this.#readStatus() : 0xff;
  }

  #writePort(offset: number, value: number): void {
    if (offset < VGA_PORTS) this.#write(offset, value);
    else if (offset === 0x14 || offset === 0x15) this.#writeCrtc(offset - 0x14, value);
    else if (offset === 0x1a) this.#state.featureControl = value;
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
        state.dac[state.dacWrite] = this.#vbe.hasEightBitDac ? value : value & 0x3f;
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

function copyOf(state: VgaState): VgaState {
  return {
    ...state,
    sequencer: state.sequencer.slice(),
    graphics: state.graphics.slice(),
    attribute: state.attribute.slice(),
    crtc: state.crtc.slice(),
    dac: state.dac.slice(),
    vbe: [...state.vbe],
  };
}
