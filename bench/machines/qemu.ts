/** The peer: QEMU with its translator TCG. */
import { spawnSync } from 'node:child_process';
import { Session } from '../../test/guests/session.ts';

const QEMU = 'qemu-system-x86_64';

/** What a machine of any kind boots. */
export interface BootFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  readonly memory: string;
}

/** The version of QEMU; undefined if there is none. */
export function qemuVersion(): string | undefined {
  const { stdout } = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  return /version (\S+)/.exec(stdout ?? '')?.[1];
}

export function qemuCommand({ kernel, initrd, cmdline, memory }: BootFiles): string[] {
  const machine = ['-M', 'pc', '-accel', 'tcg', '-m', memory, '-nodefaults', '-no-reboot'];
  const streams = ['-display', 'none', '-serial', 'stdio'];
  return [QEMU, ...machine, ...streams, '-kernel', kernel, '-initrd', initrd, '-append', cmdline];
}

export function startQemu(files: BootFiles): Session {
  const [program, ...arguments_] = qemuCommand(files) as [string, ...string[]];
  return new Session(program, arguments_);
}
