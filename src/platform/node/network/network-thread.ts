import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { createRingMemory, type NetworkConfig, type OpenForward } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { Doorbell } from './doorbell.ts';
import type { NetworkMessage, NetworkStart } from './messages.ts';

/** The machine's end of a network on another thread: what a `MachineStart` carries. */
export interface NetworkMemory {
  readonly link: SharedArrayBuffer;
  readonly doorbell: SharedArrayBuffer;
}

/** A network's worker thread, seen from the thread that serves the user. */
export interface NetworkThread {
  readonly memory: NetworkMemory;
  /** the forwarded ports and where they are open */
  readonly forwards: readonly OpenForward[];
  /** Ends the network; its sockets close. */
  terminate(): Promise<void>;
}

export interface NetworkThreadOptions {
  readonly config: NetworkConfig;
  /** the `ControlBlock` of the machine */
  readonly control: SharedArrayBuffer;
  /** file that every frame is written to */
  readonly dump?: string | undefined;
  /** told when the thread dies of a fault of our own */
  readonly failed: (error: Error) => void;
}

/**
 * Starts a network on a thread of its own, its forwarded ports open. Rejects with a `VivariumError` for a port that
 * cannot be had, a switch that cannot be reached, or a capture file that cannot be written.
 */
export async function startNetworkThread(options: NetworkThreadOptions): Promise<NetworkThread> {
  const memory: NetworkMemory = { link: createRingMemory(), doorbell: new Doorbell().memory };
  const { config, control, dump } = options;
  const workerData: NetworkStart = { config, ...memory, control, dump };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./network-worker.${extension}`, import.meta.url), {
    workerData,
    name: 'vivarium network',
    stdout: true, // standard output belongs to the guest
  });
  worker.stdout.on('data', (bytes: Uint8Array) => process.stderr.write(bytes));
  const opened = Promise.withResolvers<Extract<NetworkMessage, { kind: 'open' }>>();
  worker.on('message', (message: NetworkMessage) => {
    if (message.kind === 'open') opened.resolve(message);
    else opened.reject(new VivariumError(message.code, message.message));
  });
  worker.on('error', (error) => {
    const fault = error instanceof Error ? error : new Error(String(error));
    opened.reject(fault);
    options.failed(fault);
  });
  try {
    const { forwards, leftovers } = await opened.promise;
    worker.unref();
    const remove = () => {
      for (const path of leftovers) rmSync(path, { force: true });
    };
    process.once('exit', remove);
    const terminate = async () => {
      await worker.terminate();
      process.off('exit', remove);
      remove();
    };
    return { memory, forwards, terminate };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}
