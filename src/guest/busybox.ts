/**
 * Reads from a busybox executable which commands ("applets") it contains, without running it.
 *
 * Busybox keeps the names in one block, sorted, each ended by NUL, the block ended by an empty
 * name (busybox applets/applet_tables.c). The block of a build with `[` and `[[`, such as Debian's,
 * starts with these two.
 */
import { VivariumError } from '../util/mod.ts';

const START = [0x5b, 0, 0x5b, 0x5b, 0]; // "[", "[["
const MAX_NAME = 64;
const MAX_APPLETS = 1000;

/** The applet names of a busybox executable, sorted. Throws when it has no table of them. */
export function busyboxApplets(executable: Uint8Array): string[] {
  for (
    let at = executable.indexOf(START[0]!);
    at >= 0;
    at = executable.indexOf(START[0]!, at + 1)
  ) {
    if (!START.every((byte, index) => executable[at + index] === byte)) continue;
    const names = readNames(executable, at);
    if (names.includes('sh') && names.includes('init')) return names;
  }
  throw new VivariumError('not-busybox', 'the file is not a busybox with the commands sh and init');
}

function readNames(executable: Uint8Array, start: number): string[] {
  const names: string[] = [];
  let offset = start;
  while (names.length < MAX_APPLETS) {
    const end = executable.indexOf(0, offset);
    if (end <= offset || end - offset > MAX_NAME) break;
    const name = String.fromCharCode(...executable.subarray(offset, end));
    if (!/^[\w.+[-]+$/.test(name)) break;
    names.push(name);
    offset = end + 1;
  }
  return names;
}
