import { Worker } from 'node:worker_threads';
import type { MachineMessage, MachineStart } from '../../machine-thread/messages.ts';

/** A machine's worker thread, seen from the thread that serves its user. */
export interface MachineThread {
  /** Ends the thread wherever it is. */
  terminate(): Promise<void>;
}

/** A thread that loads a machine's program while its user still finds out what it is to run. */
let prepared: Worker | undefined;

/** Begins a thread for the machine that is started next. */
export function prepareMachineThread(): void {
  prepared ??= openThread();
}

function openThread(): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`../machine-worker.${extension}`, import.meta.url), {
    name: 'vivarium machine',
    // Standard output belongs to the guest; whatever the thread may print is ours.
    stdout: true,
  });
  worker.unref();
  return worker;
}

/**
 * Starts a thread for one machine. `receive` gets every message, in order; the last is `ended`,
 * `refused` or `fault`, also when the thread dies without a word. The kernel and initial RAM disk
 * move to the thread: the caller's arrays are empty afterwards.
 */
export function startMachineThread(
  start: MachineStart,
  receive: (message: MachineMessage) => void,
): MachineThread {
  const worker = prepared ?? openThread();
  prepared = undefined;
  worker.ref();
  worker.postMessage(start, movable(start));
  let hasEnded = false;
  const deliver = (message: MachineMessage) => {
    if (hasEnded) return;
    hasEnded = ['ended', 'refused', 'fault'].includes(message.kind);
    receive(message);
  };
  worker.stdout.on('data', (bytes: Uint8Array) => process.stderr.write(bytes));
  worker.on('message', deliver);
  worker.on('error', (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const detail = error instanceof Error ? (error.stack ?? message) : message;
    deliver({ kind: 'fault', message, detail });
  });
  worker.on('exit', (code) => {
    const message = `the machine's thread ended without a word (code ${code})`;
    deliver({ kind: 'fault', message, detail: message });
  });
  return {
    async terminate() {
      hasEnded = true;
      await worker.terminate();
    },
  };
}

function movable(start: MachineStart): ArrayBuffer[] {
  const images = [start.config.kernel, start.config.initrd];
  const buffers = images.map((image) => image?.buffer);
  return [...new Set(buffers.filter((buffer) => buffer instanceof ArrayBuffer))];
}
