/** `bin/viv` as a program: what it prints, and how it ends. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const VIV = join(import.meta.dirname, '../../bin/viv');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** Runs `viv` to its end. `input` is its standard input; nothing by default. */
export async function viv(
  arguments_: readonly string[],
  input: Uint8Array | string = '',
): Promise<CommandResult> {
  const child = spawn(process.execPath, [VIV, ...arguments_], { stdio: 'pipe' });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const printed: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  child.on('error', reject);
  const code = await promise;
  const bytes = Buffer.concat(printed);
  return { code, bytes, stdout: bytes.toString('utf8'), stderr };
}
