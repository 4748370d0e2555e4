/**
 * Machines in the background. `viv run --detach` starts itself once more, in a session of its own, and
 * waits until that one has a machine that runs, or says why not.
 *
 * The second process is told so by an environment variable. It says that it runs over its channel to
 * the first; what it has to say in words goes to standard error, a file that it takes into its entry.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultRegistryDirectory } from './registry.ts';

const VARIABLE = 'VIVARIUM_BACKGROUND';
const MESSAGES = 'messages.log';
const LOOK_MILLISECONDS = 100;

/** How the start of a machine in the background went. */
export type BackgroundStart =
  | { readonly kind: 'started'; readonly name: string }
  | { readonly kind: 'failed'; readonly code: number };

/**
 * Starts `command` with a machine in the background.
 *
 * @param told is given what the starting process says, as it comes
 */
export async function startInBackground(
  command: readonly [program: string, ...arguments_: string[]],
  told: (text: string) => void,
): Promise<BackgroundStart> {
  const directory = defaultRegistryDirectory();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const messages = join(directory, `.messages-${randomUUID()}`);
  const file = openSync(messages, 'w+', 0o600);
  const [program, ...arguments_] = command;
  const child = spawn(program, arguments_, {
    detached: true,
    stdio: ['ignore', 'ignore', file, 'ipc'],
    env: { ...process.env, [VARIABLE]: messages },
  });
  const { promise, resolve, reject } = Promise.withResolvers<BackgroundStart>();
  child.on('message', (name) => resolve({ kind: 'started', name: String(name) }));
  child.on('exit', (code) => resolve({ kind: 'failed', code: code ?? 1 }));
  child.on('error', reject);
  let position = 0;
  const tell = (): void => {
    const buffer = Buffer.alloc(1 << 16);
    const bytes = readSync(file, buffer, 0, buffer.length, position);
    position += bytes;
    if (bytes > 0) told(buffer.toString('utf8', 0, bytes));
  };
  const timer = setInterval(tell, LOOK_MILLISECONDS);
  // Whoever loses patience before it runs does not want it.
  const giveUp = (): void => {
    child.kill('SIGTERM');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, giveUp);
  try {
    return await promise;
  } finally {
    for (const signal of signals) process.off(signal, giveUp);
    clearInterval(timer);
    tell();
    closeSync(file);
    rmSync(messages, { force: true });
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** This process, if it was started to run a machine in the background. */
export class BackgroundProcess {
  #messages: string;

  private constructor(messages: string) {
    this.#messages = messages;
  }

  /** What this process is, told once: its children are nothing of the kind. */
  static take(): BackgroundProcess | undefined {
    const messages = process.env[VARIABLE];
    delete process.env[VARIABLE];
    return messages === undefined ? undefined : new BackgroundProcess(messages);
  }

  /** From now on messages are kept in the machine's entry. */
  moveMessages(directory: string): void {
    renameSync(this.#messages, join(directory, MESSAGES));
  }

  /** The machine runs: whoever waits for that need wait no longer. */
  async started(name: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (process.send === undefined) return;
    process.send(name, () => resolve());
    await promise;
    if (process.connected) process.disconnect();
  }
}

/** What `viv` said about a machine in the background. */
export function readMessages(directory: string): string {
  try {
    return readFileSync(join(directory, MESSAGES), 'utf8');
  } catch {
    return '';
  }
}
