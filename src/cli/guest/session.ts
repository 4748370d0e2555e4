/**
 * Sessions in guests: SSH, over the control socket of the machine, with this user's key. Nobody else
 * is on that way, so the guest's own key is not asked for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type Client } from 'ssh2';
import {
  type MachineEntry,
  Registry,
  type SessionKey,
  sessionKey,
  upgradeMachine,
} from '../../daemon/mod.ts';
import { VivariumError } from '../../util/mod.ts';

/** How long one try may take, in milliseconds: guests are slow at this when they are busy. */
const TRY_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 500;

/** Connects with a guest; one that is still starting is waited for. Throws `guest-unreachable`. */
export async function openSession(machine: string, waitSeconds: number): Promise<Client> {
  const registry = new Registry();
  const key = await sessionKey();
  const end = performance.now() + waitSeconds * 1000;
  for (;;) {
    const entry = await registry.findRunning(machine);
    try {
      return await connect(entry, key);
    } catch (error) {
      if (!isPassing(error)) throw explain(machine, error);
      if (performance.now() >= end) throw explain(machine, error);
    }
    await sleep(RETRY_MILLISECONDS);
  }
}

async function connect(entry: MachineEntry, key: SessionKey): Promise<Client> {
  const sock = await upgradeMachine(entry, 'ssh');
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  client.on('ready', () => resolve(client));
  client.on('error', reject);
  client.on('close', () => reject(new Error('the guest closed the connection')));
  client.connect({
    sock,
    username: 'root',
    privateKey: key.privateKey,
    readyTimeout: TRY_MILLISECONDS,
    // A guest that stands still for a while is no reason to leave.
    keepaliveInterval: 0,
  });
  try {
    return await promise;
  } catch (error) {
    client.destroy();
    sock.destroy();
    throw error;
  }
}

const PASSING: readonly string[] = ['machine-starting', 'guest-silent'];

/** True for what may be over when the guest has come further. */
function isPassing(error: unknown): boolean {
  if (error instanceof VivariumError) return PASSING.includes(error.code);
  return (error as { level?: string }).level !== 'client-authentication';
}

function explain(machine: string, error: unknown): unknown {
  if (error instanceof VivariumError) return error;
  const isRefused = (error as { level?: string }).level === 'client-authentication';
  const why = isRefused
    ? 'it does not know the key of this user; build its image as this user'
    : `its SSH server does not answer (${(error as Error).message})`;
  const message = `cannot enter the guest "${machine}": ${why}`;
  return new VivariumError('guest-unreachable', message, { cause: error });
}
