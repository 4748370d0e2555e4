/** Makes 32-bit kernels of benchmark programs: any machine boots them, with no system below. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM_DIRECTORY } from '../image/programs.ts';

/** Those that need no system, nor 64-bit registers to be themselves. */
export const BARE_PROGRAMS = [
  ...['sieve', 'sort', 'sha256', 'crc32', 'bytecode', 'calls'],
  ...['nbody', 'mandelbrot', 'linpack', 'x87', 'stream', 'chase'],
] as const;

const TEXT_ADDRESS = '0x101000';
const HEADER_ADDRESS = '0x100000';
const FLAGS = [
  ...['-m32', '-O2', '-march=pentium4', '-mfpmath=sse', '-ffreestanding', '-fno-math-errno'],
  ...['-nostdlib', '-static', '-no-pie', '-fno-pie', '-fno-stack-protector'],
  '-fno-asynchronous-unwind-tables',
  ...['-Wl,--build-id=none', '-Wl,-n', '-Wl,-z,noexecstack', `-Wl,-Ttext=${TEXT_ADDRESS}`],
  `-Wl,--section-start=.multiboot=${HEADER_ADDRESS}`,
];

/** Builds a program's kernel into `directory`; returns the path of the ELF file. */
export function buildBare(name: string, directory: string): string {
  const kernel = join(directory, `${name}.elf`);
  const here = import.meta.dirname;
  const includes = ['-I', join(here, 'include'), '-I', PROGRAM_DIRECTORY];
  const sources = [
    ...globSync(join(here, '*.S')),
    ...globSync(join(here, '*.c')),
    join(PROGRAM_DIRECTORY, `${name}.c`),
  ];
  // The linker warns of a segment that is writable and executable, which is what such a kernel is.
  execFileSync('gcc', [...FLAGS, ...includes, '-o', kernel, ...sources], { stdio: 'pipe' });
  return kernel;
}
