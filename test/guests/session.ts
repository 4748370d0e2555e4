/** Drives a program that talks on its standard streams, as a person at its keyboard would. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const binViv = fileURLToPath(new URL('../../bin/viv', import.meta.url));

/** How long a guest may take for one answer. Whole boots on a busy host are within it. */
const PATIENCE_SECONDS = 180;

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** from its start to its end */
  readonly seconds: number;
}

export interface SessionOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** gives the program, which runs under Node, a channel for messages */
  readonly hasChannel?: boolean;
}

/** A running program, what it printed so far, and how much of that was read. */
export class Session implements AsyncDisposable {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<Ending>;
  output = '';
  errors = '';
  #read = 0;
  #isOver = false;
  #commands = 0;
  #waiters = new Set<() => void>();

  constructor(command: string, arguments_: readonly string[], options: SessionOptions = {}) {
    const start = performance.now();
    // The first three streams are pipes, whatever comes after them.
    this.process = spawn(command, [...arguments_], {
      stdio: ['pipe', 'pipe', 'pipe', ...(options.hasChannel ? (['ipc'] as const) : [])],
      env: { ...process.env, ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }) as ChildProcessByStdio<Writable, Readable, Readable>;
    this.process.stdin.on('error', () => {});
    this.process.stdout.setEncoding('utf8').on('data', (text) => {
      this.output += text;
      this.#wake();
    });
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.errors += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code) => {
        this.#isOver = true;
        this.#wake();
        const seconds = (performance.now() - start) / 1000;
        resolve({ code, output: this.output, errors: this.errors, seconds });
      });
    });
  }

  type(text: string): void {
    this.process.stdin.write(text);
  }

  /**
   * Reads on until `pattern` has come, and returns the match. What comes after it is left for the
   * next reader. Rejects with the last of what was printed when it does not come.
   */
  async expect(pattern: RegExp | string, seconds = PATIENCE_SECONDS): Promise<RegExpExecArray> {
    const expression = typeof pattern === 'string' ? new RegExp(literal(pattern)) : pattern;
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const match = expression.exec(this.output.slice(this.#read));
      if (match !== null) {
        this.#read += match.index + match[0].length;
        return match;
      }
      const rest = end - performance.now();
      if (this.#isOver || rest <= 0) {
        const why = this.#isOver ? 'the program ended' : `${seconds} seconds went by`;
        const tail = this.output.slice(this.#read).slice(-2000);
        throw new Error(
          `${why} without ${expression}; unread output: ${tail}\nerrors: ${this.errors}`,
        );
      }
      await this.#news(rest);
    }
  }

  /** Waits for what is printed next, for so many milliseconds at most. */
  async #news(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    this.#waiters.add(resolve);
    await promise;
    this.#waiters.delete(resolve);
    clearTimeout(timer);
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  /** Runs a line in the guest's shell; returns what it printed, with plain line ends, and its status. */
  async run(line: string, seconds?: number): Promise<{ text: string; status: number }> {
    this.send(line);
    return await this.result(seconds);
  }

  /** Types a line whose `result` will be asked for. */
  send(line: string): void {
    const number = ++this.#commands;
    // The shell echoes what is typed: only what it computes can be told from that.
    this.type(`echo @begin$((${number}))@; ${line}; echo @end$((${number}))@$?@\n`);
  }

  /** What the line that was sent last printed, once it is done. */
  async result(seconds?: number): Promise<{ text: string; status: number }> {
    const number = this.#commands;
    await this.expect(new RegExp(`@begin${number}@\r*\n`), seconds);
    const end = await this.expect(new RegExp(`^([^]*?)@end${number}@(\\d+)@`), seconds);
    return { text: (end[1] as string).replaceAll('\r', ''), status: Number(end[2]) };
  }

  /** Ends the program if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGTERM');
    const isOver = await Promise.race([this.ended.then(() => true), sleep(5000, false)]);
    if (!isOver) this.process.kill('SIGKILL');
  }
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/**
 * Arguments that choose an engine: its name, or `eager` for `bt` that translates everything before it
 * first runs.
 */
export function engineArguments(engine: string): string[] {
  return engine === 'eager' ? ['--engine', 'bt', '--eager'] : ['--engine', engine];
}

/** Arguments that the environment adds to each `viv run`: `VIV_TEST_ENGINE=interp`. */
function environmentArguments(): string[] {
  const engine = process.env['VIV_TEST_ENGINE'];
  return engine === undefined || engine === '' ? [] : engineArguments(engine);
}

/** `viv run` with these arguments, on pipes. */
export function runViv(arguments_: readonly string[], options?: SessionOptions): Session {
  return new Session(
    process.execPath,
    [binViv, 'run', ...environmentArguments(), ...arguments_],
    options,
  );
}

/**
 * `viv run` with these arguments on a pseudo-terminal, which the program `script` makes. Around it
 * a shell prints the terminal's modes and the exit code: `modes M`, then, at the end, `code N` and
 * `modes M` again. The process id is in the line `pid P`.
 */
export function runVivOnTerminal(arguments_: readonly string[], options?: SessionOptions): Session {
  const words = [process.execPath, binViv, 'run', ...environmentArguments(), ...arguments_];
  const command = [
    'echo "modes $(stty -g)"',
    `sh -c 'echo "pid $$"; exec "$@"' sh ${words.map(quote).join(' ')}`,
    'echo "code $?"',
    'echo "modes $(stty -g)"',
  ].join('; ');
  return new Session('script', ['-qec', command, '/dev/null'], options);
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
