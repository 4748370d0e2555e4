import { setFlagsFromString } from 'node:v8';

/** The versions of V8 that read our hints but want to be told. */
const FROM = 12;
const TO = 13;

/** Whether `readHints` makes a difference: later versions read branch hints by themselves, and no others as we write them. */
export function canReadHints(v8 = process.versions.v8): boolean {
  const version = Number.parseInt(v8, 10);
  return version >= FROM && version <= TO;
}

/**
 * Lets V8 read the hints of modules compiled from now on. WebAssembly proposal "Branch Hinting": what is unlikely moves
 * behind the rest of a function. "Compilation Hints": which compiler makes a function, and when. An unknown flag would be
 * reported on standard error.
 */
export function readHints(): void {
  if (!canReadHints()) return;
  setFlagsFromString('--experimental-wasm-branch-hinting');
  setFlagsFromString('--experimental-wasm-compilation-hints');
}
