import { VivariumError } from '../../util/mod.ts';
import { quoteWords } from './quote.ts';
import { runInGuest } from './run-in-guest.ts';
import { openSession } from './session.ts';

export interface ExecOptions {
  readonly tty: boolean;
  /** commander's name for `--no-stdin` */
  readonly stdin: boolean;
  /** seconds to wait for a guest that is starting */
  readonly wait: number;
}

/** `viv exec MACHINE COMMAND...`: returns the command's exit code. */
export function execInGuest(
  machine: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  return inGuest(machine, quoteWords(command), options);
}

/** `viv shell MACHINE`: the login shell of root. */
export function shellInGuest(machine: string, options: { readonly wait: number }): Promise<number> {
  const tty = process.stdin.isTTY === true && process.stdout.isTTY === true;
  return inGuest(machine, undefined, { ...options, tty, stdin: true });
}

async function inGuest(
  machine: string,
  command: string | undefined,
  { tty, stdin, wait }: ExecOptions,
): Promise<number> {
  if (tty && process.stdin.isTTY !== true) {
    throw new VivariumError('option-invalid', '--tty needs a terminal as standard input');
  }
  const client = await openSession(machine, wait);
  try {
    const input = stdin ? process.stdin : undefined;
    const streams = { input, output: process.stdout, errors: process.stderr };
    return await runInGuest(client, command, streams, tty);
  } finally {
    client.destroy();
  }
}
