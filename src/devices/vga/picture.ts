/** The picture on the screen, pixel by pixel. */
import type { PlanarGeometry, TextGeometry } from './geometry.ts';
import { textCell } from './text-screen.ts';
import type { VbeMode } from './vbe.ts';
import type { VgaState } from './vga-state.ts';

/** Pixels from the upper left corner: red, green, blue and 255, a byte each. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array<ArrayBuffer>;
}

const CHARACTER_MAP_SELECT = 3;
const FONT_BYTES_PER_CHARACTER = 32;
/** Offsets in plane 2 of the eight fonts. */
const FONTS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000];
const ATTRIBUTE_MODE = 0x10;
const COLOUR_PLANES = 0x12;
const COLOUR_SELECT = 0x14;
const MODE_LINE_GRAPHICS = 0x04;
const MODE_BLINK = 0x08;
const MODE_PALETTE_SELECT = 0x80;
const CURSOR_START = 0x0a;
const CURSOR_END = 0x0b;
const OPAQUE = 0xff00_0000;

export class Painter {
  readonly #state: VgaState;
  readonly #memory: Uint8Array;
  readonly #hasEightBitDac: boolean;

  constructor(state: VgaState, memory: Uint8Array, hasEightBitDac: boolean) {
    this.#state = state;
    this.#memory = memory;
    this.#hasEightBitDac = hasEightBitDac;
  }

  /** A screen of characters in the fonts that the guest has loaded. */
  text(geometry: TextGeometry): Picture {
    const { columns, rows, cellWidth, cellHeight } = geometry;
    const canvas = new Canvas(columns * cellWidth, rows * cellHeight);
    const mode = this.#state.attribute[ATTRIBUTE_MODE] as number;
    const select = this.#state.sequencer[CHARACTER_MAP_SELECT] as number;
    const fonts = [
      FONTS[((select >> 2) & 4) | (select & 3)] as number,
      FONTS[((select >> 3) & 4) | ((select >> 2) & 3)] as number,
    ] as const;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = textCell(geometry, row, column);
        const character = this.#memory[at] ?? 0;
        const attribute = this.#memory[at + 1] ?? 0;
        const foreground = this.#attributeColour(attribute & 0x0f);
        // The top bit of the attribute blinks, or makes the background bright.
        const background = this.#attributeColour((attribute >> 4) & (mode & MODE_BLINK ? 7 : 15));
        // Bit 3 chooses between two fonts, which usually are one.
        const font =
          (attribute & 0x08 ? fonts[1] : fonts[0]) + character * FONT_BYTES_PER_CHARACTER;
        const isLine = character >= 0xc0 && character <= 0xdf && (mode & MODE_LINE_GRAPHICS) !== 0;
        const isCursor = geometry.start + row * geometry.pitch + column === geometry.cursor;
        for (let line = 0; line < cellHeight; line++) {
          let bits = (this.#memory[(font + line) * 4 + 2] ?? 0) << 1;
          if (isLine) bits |= (bits >> 1) & 1;
          if (isCursor && this.#isInCursor(line)) bits = 0x1ff;
          for (let dot = 0; dot < cellWidth; dot++) {
            const colour = (bits >> (8 - dot)) & 1 ? foreground : background;
            canvas.put(column * cellWidth + dot, row * cellHeight + line, colour);
          }
        }
      }
    }
    return canvas.picture();
  }

  /** A graphics mode of the VGA. */
  planar({ depth, width, height, start, pitch }: PlanarGeometry): Picture {
    const canvas = new Canvas(width, height);
    const planes = this.#state.attribute[COLOUR_PLANES] as number;
    for (let y = 0; y < height; y++) {
      const line = start + y * pitch;
      for (let x = 0; x < width; x++) {
        if (depth === 8) {
          const index = this.#memory[(line * 4 + x) % this.#memory.length] as number;
          canvas.put(x, y, this.#colour(index));
          continue;
        }
        const at = ((line + (x >> 3)) % 0x1_0000) * 4;
        let index = 0;
        for (let plane = 0; plane < 4; plane++) {
          index |= (((this.#memory[at + plane] as number) >> (7 - (x & 7))) & 1) << plane;
        }
        canvas.put(x, y, this.#attributeColour(index & planes));
      }
    }
    return canvas.picture();
  }

  /** A mode with a linear frame buffer. */
  linear({ width, height, depth, pitch, start }: VbeMode): Picture {
    const canvas = new Canvas(width, height);
    const memory = this.#memory;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const line = start + y * pitch;
        let colour: number;
        if (depth === 8) colour = this.#colour(memory[line + x] as number);
        else if (depth <= 16) {
          const at = line + 2 * x;
          const word = (memory[at] as number) | ((memory[at + 1] as number) << 8);
          colour = depth === 16 ? from565(word) : from555(word);
        } else {
          const at = line + (depth >> 3) * x;
          colour = pack(memory[at + 2] as number, memory[at + 1] as number, memory[at] as number);
        }
        canvas.put(x, y, colour);
      }
    }
    return canvas.picture();
  }

  /** One of sixteen colours: through the palette of the attribute controller to the DAC. */
  #attributeColour(index: number): number {
    const { attribute } = this.#state;
    const select = attribute[COLOUR_SELECT] as number;
    let dac = (attribute[index] as number) & 0x3f;
    if ((attribute[ATTRIBUTE_MODE] as number) & MODE_PALETTE_SELECT) {
      dac = (dac & 0x0f) | ((select & 0x03) << 4);
    }
    return this.#colour(dac | ((select & 0x0c) << 4));
  }

  #colour(index: number): number {
    const { dac, dacMask } = this.#state;
    const at = (index & dacMask) * 3;
    const part = (offset: number): number => {
      const value = dac[at + offset] as number;
      return this.#hasEightBitDac ? value : widen(value & 0x3f, 6);
    };
    return pack(part(0), part(1), part(2));
  }

  #isInCursor(line: number): boolean {
    const first = (this.#state.crtc[CURSOR_START] as number) & 0x1f;
    const last = (this.#state.crtc[CURSOR_END] as number) & 0x1f;
    return line >= first && line <= last;
  }
}

class Canvas {
  readonly #width: number;
  readonly #height: number;
  readonly #pixels: Uint32Array<ArrayBuffer>;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#pixels = new Uint32Array(width * height);
  }

  put(x: number, y: number, colour: number): void {
    this.#pixels[y * this.#width + x] = colour;
  }

  picture(): Picture {
    const rgba = new Uint8Array(this.#pixels.buffer);
    return { width: this.#width, height: this.#height, rgba };
  }
}

function pack(red: number, green: number, blue: number): number {
  return (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;
}

/** A colour part of `bits` bits as one of eight. */
function widen(value: number, bits: number): number {
  return ((value << (8 - bits)) | (value >> (2 * bits - 8))) & 0xff;
}

function from565(word: number): number {
  return pack(widen(word >> 11, 5), widen((word >> 5) & 0x3f, 6), widen(word & 0x1f, 5));
}

function from555(word: number): number {
  return pack(widen((word >> 10) & 0x1f, 5), widen((word >> 5) & 0x1f, 5), widen(word & 0x1f, 5));
}
