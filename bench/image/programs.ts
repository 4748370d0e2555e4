/** Compiles the C programs of `bench/programs` for a guest: static, so that they run anywhere. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';

export const PROGRAM_DIRECTORY = join(import.meta.dirname, '..', 'programs');
const COMPILER = 'gcc';
const FLAGS = ['-O2', '-static', '-Wall', '-Werror', '-fno-pie', '-no-pie'];

/** Compiles every program into `directory`, under its name without `.c`. */
export function compilePrograms(directory: string): void {
  for (const source of globSync('*.c', { cwd: PROGRAM_DIRECTORY }).sort()) {
    const program = join(directory, basename(source, '.c'));
    const arguments_ = [...FLAGS, '-o', program, join(PROGRAM_DIRECTORY, source), '-lm'];
    execFileSync(COMPILER, arguments_, { stdio: 'inherit' });
  }
}

/** The compiler and its version: part of what was measured. */
export function describeCompiler(): string {
  const version = execFileSync(COMPILER, ['-dumpfullversion'], { encoding: 'utf8' }).trim();
  return `${COMPILER} ${version} ${FLAGS.join(' ')}`;
}
