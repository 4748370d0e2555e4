import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const fakeViv = new URL('./fake-viv.fixture.ts', import.meta.url).pathname;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `viv` with the test board. */
export class SpawnedViv {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<Outcome>;
  stdout = '';
  stderr = '';

  constructor(command: string, arguments_: readonly string[]) {
    this.process = spawn(command, arguments_, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.process.stdin.on('error', () => {});
    this.process.stdout.on('data', (bytes) => {
      this.stdout += bytes;
    });
    this.process.stderr.on('data', (bytes) => {
      this.stderr += bytes;
    });
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code) => {
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  type(text: string): void {
    this.process.stdin.write(text);
  }

  /** Resolves when standard output contains `text`; rejects when the process ends before. */
  async sees(text: string): Promise<void> {
    let isOver = false;
    void this.ended.then(() => {
      isOver = true;
    });
    while (!this.stdout.includes(text)) {
      if (isOver) throw new Error(`ended without printing "${text}": ${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** `viv` with these arguments and pipes for its standard streams. */
export function spawnViv(...arguments_: string[]): SpawnedViv {
  return new SpawnedViv(process.execPath, [fakeViv, ...arguments_]);
}

/** `viv` on a pseudo-terminal that `script` makes, between two reports of the terminal's modes. */
export function spawnVivOnTerminal(...arguments_: string[]): SpawnedViv {
  const quoted = [process.execPath, fakeViv, ...arguments_].map((word) => `'${word}'`).join(' ');
  const command = `stty -a | grep -ow -e '-\\?icanon'; ${quoted}; echo "code $?"; stty -a | grep -ow -e '-\\?icanon'`;
  return new SpawnedViv('script', ['-qec', command, '/dev/null']);
}

/** A directory for one test, with an image that the test board boots. */
export class Workplace implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  readonly kernel = this.file('kernel', 'not empty');

  file(name: string, contents = ''): string {
    const path = join(this.path, name);
    writeFileSync(path, contents);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
