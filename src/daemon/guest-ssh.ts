/**
 * The way to the SSH server of a guest: a socket of the machine's vsock, which needs no network, or a
 * port of this host that leads there.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../client/mod.ts';
import { VivariumError } from '../util/mod.ts';

const SSH_PORT = 22;
/** How long a guest may take to accept, in milliseconds; one that has no driver yet never does. */
const ACCEPT_MILLISECONDS = 20_000;

/** A connection to the guest's SSH server. Throws `guest-unreachable`, or `guest-silent` if it may answer later. */
export async function connectGuestSsh(machine: Machine, vsock?: string): Promise<Socket> {
  const port = machine.ports.find(
    ({ protocol, guestPort }) => protocol === 'tcp' && guestPort === SSH_PORT,
  );
  // A port that the user asked for is known to lead somewhere.
  if (port !== undefined) return await opened(connect(port.hostPort, port.hostAddress));
  if (vsock !== undefined) return await connectVsock(vsock);
  throw new VivariumError(
    'guest-unreachable',
    'nothing leads to the SSH server of this guest: start it from an image of viv image build, ' +
      'or with --net user -p 0:22',
  );
}

/** Says where to, as the machine's vsock wants it, and waits until the guest has accepted. */
async function connectVsock(path: string): Promise<Socket> {
  const socket = await opened(connect(path));
  socket.write(`CONNECT ${SSH_PORT}\n`);
  const late = new AbortController();
  try {
    const answer = await Promise.race([
      readLine(socket),
      sleep(ACCEPT_MILLISECONDS, undefined, { signal: late.signal, ref: false }),
    ]);
    if (answer === undefined) throw silent('it does not answer');
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    late.abort();
  }
}

async function opened(socket: Socket): Promise<Socket> {
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    throw silent((error as Error).message, error);
  }
}

/** The first line that comes; bytes behind it stay in the socket. Undefined if it ends before. */
async function readLine(socket: Socket): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let line = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read()) {
      line = Buffer.concat([line, bytes]);
      const end = line.indexOf('\n');
      if (end < 0) continue;
      const rest = line.subarray(end + 1);
      if (rest.length > 0) socket.unshift(rest);
      resolve(line.toString('latin1', 0, end));
      return;
    }
  };
  const onEnd = () => resolve(undefined);
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  socket.on('error', onEnd);
  try {
    return await promise;
  } finally {
    socket.off('readable', onReadable);
    socket.off('end', onEnd);
    socket.off('close', onEnd);
  }
}

function silent(why: string, cause?: unknown): VivariumError {
  return new VivariumError('guest-silent', `cannot reach the guest's SSH server: ${why}`, {
    cause,
  });
}
