/**
 * Keys and mouse on their way to a machine, as bytes in a ring.
 *
 *   key    0, count, codes ...
 *   mouse  1, 8, dx, dy, wheel, buttons: 16 bits each, little-endian
 */
import type { UserInput } from '../../machine/config.ts';
import type { ByteRing } from './byte-ring.ts';

const KEY = 0;
const MOUSE = 1;
const HEADER_BYTES = 2;
const LONGEST = HEADER_BYTES + 255;

/** Puts all of `inputs` into the ring, or none when there is no room. */
export function writeInputs(
  ring: ByteRing,
  inputs: readonly UserInput[],
  capacity: number,
): boolean {
  const bytes = Uint8Array.from(inputs.flatMap(encode));
  if (bytes.length > capacity - ring.length) return false;
  ring.write(bytes);
  return true;
}

/** Hands inputs to `take` until it wants no more; true when it took some. */
export function readInputs(ring: ByteRing, take: (input: UserInput) => boolean): boolean {
  let tookSome = false;
  while (ring.length >= HEADER_BYTES) {
    const bytes = ring.peek(LONGEST);
    const count = bytes[1] as number;
    if (!take(decode(bytes[0] as number, bytes.subarray(HEADER_BYTES, HEADER_BYTES + count))))
      break;
    ring.skip(HEADER_BYTES + count);
    tookSome = true;
  }
  return tookSome;
}

function encode(input: UserInput): number[] {
  if (input.kind === 'key') return [KEY, input.codes.length, ...input.codes];
  const { dx, dy, wheel, buttons } = input;
  return [
    MOUSE,
    8,
    ...[dx, dy, wheel, buttons].flatMap((value) => [value & 0xff, (value >> 8) & 0xff]),
  ];
}

function decode(kind: number, bytes: Uint8Array): UserInput {
  if (kind === KEY) return { kind: 'key', codes: [...bytes] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = (index: number): number => view.getInt16(2 * index, true);
  return { kind: 'mouse', dx: at(0), dy: at(1), wheel: at(2), buttons: at(3) };
}
