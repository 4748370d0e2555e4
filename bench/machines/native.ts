/** The host itself: workloads as its own processes, in the same tree of files. */
import { spawnSync } from 'node:child_process';
import { quote } from '../../test/guests/session.ts';
import type { Workload } from '../workloads.ts';
import type { Sample, Subject } from './subject.ts';

/** The guest's surroundings: its tree as root directory, the host's /dev and /proc, an empty /tmp. */
function enterTree(tree: string): string[] {
  const isRoot = process.getuid?.() === 0;
  const script = [
    'mount --rbind /dev "$1/dev"',
    'mount --rbind /proc "$1/proc"',
    'mount -t tmpfs tmpfs "$1/tmp"',
    'exec chroot "$1" /bin/busybox env -i PATH=/bin HOME=/root LC_ALL=C /bin/sh -c "$2"',
  ].join(' && ');
  return ['unshare', isRoot ? '-m' : '-rm', 'sh', '-c', script, 'sh', tree];
}

export class Native implements Subject {
  readonly name = 'native';
  #command: readonly string[];

  constructor(tree: string) {
    this.#command = enterTree(tree);
  }

  /** Why this host cannot run the guest's files; undefined if it can. */
  check(): string | undefined {
    const sample = this.#measure('echo works');
    return sample.output === 'works\n'
      ? undefined
      : `cannot enter the guest's tree: ${sample.output}`;
  }

  async run(workload: Workload): Promise<Sample> {
    return this.#measure(`cd /bench && ${workload.line}`);
  }

  resident(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The shell that reports times runs around the one that runs the line, within the tree. */
  #measure(line: string): Sample {
    const words = [...this.#command, line].map(quote).join(' ');
    const script = `TIMEFORMAT='%R %U %S'; { time ${words} 2>&3; } 3>&1`;
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    const times = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
    const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = times;
    return { wall, cpu: user + system, status: status ?? -1, output: stdout };
  }
}
