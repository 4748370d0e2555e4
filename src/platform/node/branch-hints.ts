import { setFlagsFromString } from 'node:v8';

/** The versions of V8 that read branch hints but want to be told; later ones do without. */
const FROM = 12;
const TO = 13;

/**
 * Lets V8 read the hints of modules compiled from now on (WebAssembly proposal "Branch Hinting"): what is unlikely moves
 * behind the rest of a function. An unknown flag would be reported on standard error.
 */
export function readBranchHints(v8 = process.versions.v8): void {
  const version = Number.parseInt(v8, 10);
  if (version >= FROM && version <= TO) setFlagsFromString('--experimental-wasm-branch-hinting');
}
