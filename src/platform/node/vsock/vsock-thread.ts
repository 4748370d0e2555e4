import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRingMemory } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { Doorbell } from '../network/doorbell.ts';
import type { VsockMessage, VsockStart } from './messages.ts';

/** The thread of a guest's sockets, seen from the thread that serves the user. */
export interface VsockThread {
  /** what a `MachineStart` carries */
  readonly memory: { readonly link: SharedArrayBuffer; readonly doorbell: SharedArrayBuffer };
  /** Closes the sockets and takes their file away. */
  terminate(): Promise<void>;
}

export interface VsockThreadOptions {
  readonly path: string;
  readonly cid: number;
  /** the `ControlBlock` of the machine */
  readonly control: SharedArrayBuffer;
  /** told when the thread dies of a fault of our own */
  readonly failed: (error: Error) => void;
}

/** Starts the thread; rejects with a `VivariumError` for a path that cannot be listened on. */
export async function startVsockThread(options: VsockThreadOptions): Promise<VsockThread> {
  const memory = { link: createRingMemory(), doorbell: new Doorbell().memory };
  const { path, cid, control } = options;
  const workerData: VsockStart = { path, cid, control, ...memory };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./vsock-worker.${extension}`, import.meta.url), {
    workerData,
    name: 'vivarium vsock',
    stdout: true, // standard output belongs to the guest
  });
  worker.stdout.on('data', (bytes: Uint8Array) => process.stderr.write(bytes));
  const opened = Promise.withResolvers<void>();
  worker.on('message', (message: VsockMessage) => {
    if (message.kind === 'open') opened.resolve();
    else opened.reject(new VivariumError(message.code, message.message));
  });
  worker.on('error', (error) => {
    const fault = error instanceof Error ? error : new Error(String(error));
    opened.reject(fault);
    options.failed(fault);
  });
  let hasEnded = false;
  worker.on('exit', () => {
    hasEnded = true;
  });
  try {
    await opened.promise;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  worker.unref();
  return {
    memory,
    async terminate() {
      if (hasEnded) return;
      worker.postMessage('close');
      await once(worker, 'exit');
    },
  };
}
