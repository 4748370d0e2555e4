/**
 * What the CRTC and the other registers say about the picture.
 * IBM PS/2 "Video Subsystem" (1992), chapter 2, "CRT Controller Registers".
 */
import type { VgaState } from './vga-state.ts';

export const CRTC = {
  horizontalEnd: 0x01,
  overflow: 0x07,
  presetRowScan: 0x08,
  maximumScanLine: 0x09,
  cursorStart: 0x0a,
  cursorEnd: 0x0b,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  protect: 0x11,
  verticalEnd: 0x12,
  offset: 0x13,
  underline: 0x14,
  modeControl: 0x17,
  lineCompare: 0x18,
} as const;

const GRAPHICS_MISCELLANEOUS = 6;
const GRAPHICS_MODE_BIT = 0x01;
const GRAPHICS_MODE = 5;
const SHIFT_256 = 0x40;
const SHIFT_INTERLEAVE = 0x20;
const CLOCKING_MODE = 1;
const EIGHT_DOTS = 0x01;
const SCREEN_OFF = 0x20;
const DOUBLE_SCAN = 0x80;

/** Where the text lies, in characters. */
export interface TextGeometry {
  readonly columns: number;
  readonly rows: number;
  /** first character */
  readonly start: number;
  /** characters from one row to the next */
  readonly pitch: number;
  /** place of the cursor, counted as `start`; undefined when it is off */
  readonly cursor: number | undefined;
  /** of a character, in pixels */
  readonly cellWidth: 8 | 9;
  readonly cellHeight: number;
}

/** A picture in the planes. */
export interface PlanarGeometry {
  /** bits of a pixel: one of each plane, or a byte */
  readonly depth: 4 | 8;
  readonly width: number;
  readonly height: number;
  /** address in a plane: first byte, and from line to line */
  readonly start: number;
  readonly pitch: number;
}

/** True when the sequencer shows nothing. */
export function isBlanked(state: VgaState): boolean {
  return ((state.sequencer[CLOCKING_MODE] as number) & SCREEN_OFF) !== 0;
}

/** The screen in a text mode; undefined in a graphics mode and before any was set. */
export function textGeometry(state: VgaState): TextGeometry | undefined {
  const at = (index: number): number => state.crtc[index] as number;
  if (isGraphics(state)) return undefined;
  const columns = at(CRTC.horizontalEnd) + 1;
  const cellHeight = (at(CRTC.maximumScanLine) & 0x1f) + 1;
  const rows = Math.floor(scanLines(state) / cellHeight);
  if (columns < 2 || rows < 1) return undefined;
  const isCursorOff = (at(CRTC.cursorStart) & 0x20) !== 0;
  return {
    columns,
    rows,
    start: (at(CRTC.startHigh) << 8) | at(CRTC.startLow),
    pitch: at(CRTC.offset) * 2 || columns,
    cursor: isCursorOff ? undefined : (at(CRTC.cursorHigh) << 8) | at(CRTC.cursorLow),
    cellWidth: (state.sequencer[CLOCKING_MODE] as number) & EIGHT_DOTS ? 8 : 9,
    cellHeight,
  };
}

/** The picture in a graphics mode of the VGA; undefined in text modes and in those of the CGA. */
export function planarGeometry(state: VgaState): PlanarGeometry | undefined {
  const at = (index: number): number => state.crtc[index] as number;
  const mode = state.graphics[GRAPHICS_MODE] as number;
  if (!isGraphics(state) || (mode & SHIFT_INTERLEAVE) !== 0) return undefined;
  const maximum = at(CRTC.maximumScanLine);
  const repeats = ((maximum & 0x1f) + 1) * (maximum & DOUBLE_SCAN ? 2 : 1);
  const height = Math.floor(scanLines(state) / repeats);
  const is256 = (mode & SHIFT_256) !== 0;
  const width = (at(CRTC.horizontalEnd) + 1) * (is256 ? 4 : 8);
  if (width < 8 || height < 1) return undefined;
  const start = (at(CRTC.startHigh) << 8) | at(CRTC.startLow);
  return { depth: is256 ? 8 : 4, width, height, start, pitch: at(CRTC.offset) * 2 };
}

function isGraphics(state: VgaState): boolean {
  return ((state.graphics[GRAPHICS_MISCELLANEOUS] as number) & GRAPHICS_MODE_BIT) !== 0;
}

function scanLines(state: VgaState): number {
  const at = (index: number): number => state.crtc[index] as number;
  const overflow = at(CRTC.overflow);
  return (at(CRTC.verticalEnd) | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
}
