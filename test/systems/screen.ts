/** Looking at the screen of a machine until it shows what a test waits for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine, Screen } from '../../src/mod.ts';

/** Guests are looked at this often. */
const LOOK_MILLISECONDS = 500;

/** Waits until the text on the screen matches; rejects with the screen when it does not come. */
export async function screenShows(
  machine: Machine,
  pattern: RegExp,
  seconds: number,
): Promise<string> {
  let text = '';
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    text = (await machine.screen())?.lines?.join('\n') ?? '';
    if (pattern.test(text)) return text;
    await sleep(LOOK_MILLISECONDS);
  }
  throw new Error(`the screen does not show ${pattern}:\n${text}`);
}

/** Waits for a picture of which `isIt` says that it is the one. */
export async function pictureShows(
  machine: Machine,
  isIt: (screen: Screen) => boolean,
  seconds: number,
): Promise<Screen> {
  let last: Screen | undefined;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    last = await machine.screen();
    if (last !== undefined && isIt(last)) return last;
    await sleep(LOOK_MILLISECONDS);
  }
  throw new Error(`the picture of ${last?.width} × ${last?.height} does not come`);
}

/** How many different colours a picture has, and the share of the commonest. */
export function coloursOf({ rgba }: Screen): { readonly colours: number; readonly share: number } {
  const counts = new Map<number, number>();
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  return { colours: counts.size, share: Math.max(...counts.values()) / pixels.length };
}
