/** Runs a program to its end and gathers what it says. */
import { spawn } from 'node:child_process';

/** A program that says nothing for so long is ended. */
const SILENCE_MILLISECONDS = 120_000;

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** gets each line that the program writes to its file descriptor 3 */
  readonly onStatus?: (line: string) => void;
}

/** Rejects only if the program cannot be started; its exit code is the caller's to judge. */
export function runProcess(
  command: string,
  arguments_: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ProcessResult>();
  const child = spawn(command, arguments_, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, LC_ALL: 'C' },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const end = () => child.kill();
  process.on('exit', end);
  const watchdog = setTimeout(end, SILENCE_MILLISECONDS);
  const gather = (stream: NodeJS.ReadableStream) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      watchdog.refresh();
    });
    return () => text;
  };
  const stdout = gather(child.stdout!);
  const stderr = gather(child.stderr!);
  let pending = '';
  (child.stdio[3] as NodeJS.ReadableStream).setEncoding('utf8').on('data', (chunk: string) => {
    watchdog.refresh();
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) options.onStatus?.(line);
  });
  child.on('error', (error) => {
    process.off('exit', end);
    clearTimeout(watchdog);
    reject(error);
  });
  child.on('close', (code) => {
    process.off('exit', end);
    clearTimeout(watchdog);
    resolve({ code: code ?? -1, stdout: stdout(), stderr: stderr() });
  });
  return promise;
}
