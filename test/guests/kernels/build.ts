/** Builds the kernels of this folder with the host's C compiler and linker. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Why kernels cannot be built on this host; false if they can. */
export const cannotBuild: string | false =
  spawnSync('gcc', ['--version']).status === 0 && process.arch === 'x64'
    ? false
    : 'no gcc for x86 on this host';

/** Builds `NAME.S` into `directory`; returns the path of a 32-bit ELF file loaded at 1 MiB. */
export function buildKernel(name: string, directory: string): string {
  const path = join(directory, `${name}.elf`);
  const options = ['-m32', '-nostdlib', '-static', '-no-pie'];
  const link = ['-Wl,--build-id=none', '-Wl,-n', '-Wl,-Ttext=0x100000', '-Wl,-z,noexecstack'];
  const source = join(import.meta.dirname, `${name}.S`);
  // Warnings about segments that are writable and executable are not for these kernels.
  execFileSync('gcc', [...options, ...link, '-o', path, source], { stdio: 'pipe' });
  return path;
}
