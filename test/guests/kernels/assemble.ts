/** Assembles flat images of this folder with nasm. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Why images cannot be assembled on this host; false if they can. */
export const cannotAssemble: string | false =
  spawnSync('nasm', ['-v']).status === 0 ? false : 'no nasm on this host';

/** Assembles `NAME.asm` into `directory`; returns the path of the image. */
export function assemble(name: string, directory: string): string {
  const path = join(directory, `${name}.bin`);
  const source = join(import.meta.dirname, `${name}.asm`);
  execFileSync('nasm', ['-f', 'bin', '-o', path, source], { stdio: 'pipe' });
  return path;
}
