/** Speaking with a running machine: the other end of `control-server.ts`. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { VivariumError } from '../util/mod.ts';
import { type SocketPath, socketPath } from './control-socket.ts';
import type { MachineEntry } from './machine-record.ts';

/** What a machine's server says about itself in an error. */
interface ErrorAnswer {
  readonly code?: string;
  readonly message?: string;
}

/** Asks a machine; `path` as in `POST /stop`. Throws the sentence with which it refused. */
export async function askMachine(
  entry: MachineEntry,
  route: string,
  body?: Uint8Array | string,
): Promise<Uint8Array> {
  const address = socketPath(entry.directory);
  try {
    const request = open(address, route);
    const answered = response(request, entry);
    request.end(body);
    const answer = await answered;
    const bytes = await readAll(answer, entry);
    if (answer.statusCode === 200) return bytes;
    throw refusal(bytes, entry);
  } finally {
    address.close();
  }
}

/** Asks a machine for JSON. */
export async function askMachineJson(entry: MachineEntry, route: string): Promise<unknown> {
  return JSON.parse(text(await askMachine(entry, route)));
}

/** A connection that the machine's server turns into something else: `console`. */
export async function upgradeMachine(entry: MachineEntry, protocol: string): Promise<Socket> {
  const address = socketPath(entry.directory);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const request = open(address, `GET /${protocol}`, { connection: 'Upgrade', upgrade: protocol });
  request.on('upgrade', (_, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    resolve(socket as Socket);
  });
  request.on('response', (answer) => {
    readAll(answer, entry).then((bytes) => reject(refusal(bytes, entry)), reject);
  });
  request.on('error', () => reject(gone(entry)));
  request.end();
  try {
    return await promise;
  } finally {
    address.close();
  }
}

function open(address: SocketPath, route: string, headers: Record<string, string> = {}) {
  const [method = 'GET', path = '/'] = route.split(' ');
  return httpRequest({ socketPath: address.path, method, path, headers, agent: false });
}

function response(request: ClientRequest, entry: MachineEntry): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.on('response', resolve);
  request.on('error', (error) => reject(gone(entry, error)));
  return promise;
}

async function readAll(stream: IncomingMessage, entry: MachineEntry): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch (error) {
    throw gone(entry, error);
  }
  return Buffer.concat(chunks);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function gone(entry: MachineEntry, cause?: unknown): VivariumError {
  const message = `the machine "${entry.record.name}" does not run any more`;
  return new VivariumError('machine-ended', message, { cause });
}

/** The sentence with which a machine refused. */
function refusal(answer: Uint8Array, entry: MachineEntry): VivariumError {
  const { code = 'control-failed', message } = JSON.parse(text(answer)) as ErrorAnswer;
  return new VivariumError(code, message ?? `the machine "${entry.record.name}" gave no answer`);
}
