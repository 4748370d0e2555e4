import { VivariumError } from '../util/mod.ts';

/** What a machine's screen shows at one moment. */
export interface Screen {
  /** in pixels */
  readonly width: number;
  readonly height: number;
  /** from the upper left corner: red, green, blue and 255, a byte each */
  readonly rgba: Uint8Array;
  /** its lines without trailing blanks, in a text mode */
  readonly lines?: readonly string[];
}

/** A screen as a PNG file. */
export async function screenPng({ width, height, rgba }: Screen): Promise<Uint8Array> {
  // Few programs look at screens; the others start faster without this.
  const { encode } = await import('fast-png');
  return encode({ width, height, data: rgba, channels: 4, depth: 8 });
}

/** What the mouse of a machine does. */
export interface MouseInput {
  /** steps to the right */
  readonly dx?: number;
  /** steps up */
  readonly dy?: number;
  /** steps of the wheel towards the person */
  readonly wheel?: number;
  /** those that are down; none if absent */
  readonly buttons?: readonly ('left' | 'right' | 'middle')[];
}

/** A movement within what one report of a mouse can tell, and the bits of its buttons. */
export function checkMouse({ dx = 0, dy = 0, wheel = 0, buttons = [] }: MouseInput) {
  for (const [name, value, limit] of [
    ['dx', dx, 255],
    ['dy', dy, 255],
    ['wheel', wheel, 7],
  ] as const) {
    if (!Number.isInteger(value) || Math.abs(value) > limit) {
      throw new VivariumError(
        'option-invalid',
        `${name} of a mouse is a whole number from -${limit} to ${limit}`,
      );
    }
  }
  const bits = { left: 1, right: 2, middle: 4 };
  const pressed = buttons.reduce((sum, button) => sum | (bits[button] ?? 0), 0);
  return { kind: 'mouse', dx, dy, wheel, buttons: pressed } as const;
}
