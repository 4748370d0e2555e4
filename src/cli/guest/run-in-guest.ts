import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2';
import { VivariumError } from '../../util/mod.ts';
import { EXIT_SIGNAL } from '../exit-code.ts';
import { RawTerminal } from '../terminal.ts';

/** What a command in a guest is connected with. */
export interface GuestStreams {
  readonly input: Readable | undefined;
  readonly output: Writable;
  readonly errors: Writable;
}

/**
 * Runs a command in the guest; the login shell if there is none. Returns its exit code, 128 and more
 * for one that a signal ended, as shells have it.
 *
 * @param onTerminal the guest's side is a terminal like this one
 */
export async function runInGuest(
  client: Client,
  command: string | undefined,
  streams: GuestStreams,
  onTerminal = false,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // A command may be over before anybody who waits for the channel gets to know of it.
  const channel = await openChannel(client, command, onTerminal, (opening) => {
    let code: number | undefined;
    opening.on('exit', (status: number | null, signal?: string) => {
      code = status ?? EXIT_SIGNAL + signalNumber(signal);
    });
    opening.on('close', () => {
      if (code !== undefined) resolve(code);
      else reject(new VivariumError('guest-lost', 'the connection with the guest broke'));
    });
    opening.on('error', () => {});
  });
  channel.pipe(streams.output, { end: false });
  channel.stderr.pipe(streams.errors, { end: false });
  // Whoever reads no more wants no more.
  streams.output.on('error', () => channel.close());
  const terminal = new RawTerminal();
  const resize = (): void => {
    const { rows, columns } = process.stdout;
    channel.setWindow(rows, columns, 0, 0);
  };
  if (onTerminal) {
    terminal.enter();
    process.stdout.on('resize', resize);
  }
  if (streams.input === undefined) channel.end();
  else streams.input.pipe(channel);
  try {
    const ending = await promise;
    await drained(streams.output);
    return ending;
  } finally {
    streams.input?.unpipe(channel);
    streams.input?.pause();
    process.stdout.off('resize', resize);
    terminal.leave();
  }
}

function openChannel(
  client: Client,
  command: string | undefined,
  onTerminal: boolean,
  prepare: (channel: ClientChannel) => void,
): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  const opened = (error: Error | undefined, channel: ClientChannel): void => {
    if (error !== undefined) {
      reject(new VivariumError('guest-lost', `the guest refused: ${error.message}`));
      return;
    }
    prepare(channel);
    resolve(channel);
  };
  const pty: PseudoTtyOptions | false = onTerminal && {
    term: process.env['TERM'] ?? 'vt100',
    rows: process.stdout.rows,
    cols: process.stdout.columns,
  };
  if (command === undefined) client.shell(pty, opened);
  else client.exec(command, pty === false ? {} : { pty }, opened);
  return promise;
}

function signalNumber(name = ''): number {
  const full = name.startsWith('SIG') ? name : `SIG${name}`;
  return constants.signals[full as keyof typeof constants.signals] ?? 0;
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
