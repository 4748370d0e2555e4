/** Runs the kernels of this folder: on a board in this process, and under QEMU's TCG. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Board } from '../../src/machine/mod.ts';

/** Why nothing can be assembled on this host; false if it can. */
export const cannotAssemble: string | false =
  spawnSync('nasm', ['-v']).status === 0 ? false : 'no nasm on this host';

const QEMU = 'qemu-system-x86_64';
/** Why there is no second opinion on this host; false if there is one. */
export const cannotCompare: string | false =
  cannotAssemble || (spawnSync(QEMU, ['--version']).status === 0 ? false : 'no QEMU on this host');

const MEMORY_BYTES = 32 * 2 ** 20;
/** A kernel takes much less; one that hangs must not hang the test. */
const DEADLINE_MILLISECONDS = 30_000;

/** Assembles `NAME.asm` into `directory`; returns the path of a multiboot kernel. */
export function assemble(name: string, directory: string): string {
  const path = join(directory, `${name}.bin`);
  const source = join(import.meta.dirname, `${name}.asm`);
  const options = ['-f', 'bin', '-i', `${import.meta.dirname}/`, '-o', path];
  execFileSync('nasm', [...options, '-w-prefix-seg', source], { stdio: 'pipe' });
  return path;
}

/** How a kernel is run: `eager` is `bt` with everything translated before it first runs. */
export type KernelEngine = 'interp' | 'eager' | 'reference';

/** Runs the kernel at `path` and returns the lines it printed. */
export function run(path: string, engine: KernelEngine, cpu: string): string[] {
  const started = performance.now();
  let output = '';
  const board = Board.create(
    {
      kernel: new Uint8Array(readFileSync(path)),
      cmdline: '',
      memoryBytes: MEMORY_BYTES,
      cpus: 1,
      engine: engine === 'eager' ? 'bt' : engine,
      eager: engine === 'eager',
      cpu,
      debugExit: true,
    },
    {
      now: () => performance.now() * 1e6,
      epochMilliseconds: () => 0,
      cpuSeconds: () => 0,
      consoleOutput: (bytes) => {
        output += Buffer.from(bytes).toString('latin1');
      },
    },
  );
  while (performance.now() - started < DEADLINE_MILLISECONDS) {
    const outcome = board.runFor(5e6);
    if (outcome.kind === 'running') continue;
    if (outcome.kind === 'stopped' && outcome.reason.kind !== 'debug-exit')
      output += `\nno end: ${outcome.reason.kind} ${JSON.stringify(outcome.reason, plain)}`;
    break;
  }
  return linesOf(output);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString(16) : value;
}

/** The same under QEMU. Its exit code says nothing: a kernel may end in a triple fault there. */
export function runQemu(path: string): string[] {
  const machine = ['-accel', 'tcg', '-cpu', 'max', '-m', '32', '-nodefaults', '-display', 'none'];
  const ports = ['-debugcon', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
  const result = spawnSync(QEMU, [...machine, ...ports, '-no-reboot', '-kernel', path], {
    encoding: 'latin1',
    timeout: 10_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return linesOf(result.stdout);
}

function linesOf(output: string): string[] {
  return output.split('\n').filter((line) => line !== '');
}
