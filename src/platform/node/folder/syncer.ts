/**
 * Makes files durable on a thread of its own: that takes as long as the disk takes, and the guest has other things to do
 * meanwhile. The thread is started when the first file is to be made durable.
 *
 * ```
 * word 0  jobs asked for        word 1  jobs done
 * words 2 + 2n, 3 + 2n          job n modulo JOBS: descriptor and, in bit 30, data only; then its result, an error number
 * ```
 */
import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export const JOBS = 64;
export const ASKED = 0;
export const DONE = 1;
export const FIRST_JOB = 2;
export const DATA_ONLY = 1 << 30;

/** What the thread is given. */
export interface SyncWorkerStart {
  readonly words: SharedArrayBuffer;
  /** the machine's `ControlBlock`, to wake it; none in tests */
  readonly control: SharedArrayBuffer | undefined;
}

/** Who waits for a job. */
interface Waiting {
  readonly descriptor: number;
  readonly done: (errno: number) => void;
}

export class Syncer {
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * (FIRST_JOB + 2 * JOBS)));
  readonly #control: SharedArrayBuffer | undefined;
  readonly #callbacks: Waiting[] = [];
  /** descriptors in the hands of the thread, and how often; to be closed when they are back */
  readonly #busy = new Map<number, { jobs: number; close: boolean }>();
  #worker: Worker | undefined;
  #taken = 0;

  constructor(control?: SharedArrayBuffer) {
    this.#control = control;
  }

  /** Calls back from `poll` or `settle` with 0 or an error number. */
  sync(descriptor: number, dataOnly: boolean, done: (errno: number) => void): void {
    if (this.#callbacks.length >= JOBS) this.settle();
    this.#worker ??= this.#start();
    const asked = Atomics.load(this.#words, ASKED);
    const slot = FIRST_JOB + 2 * ((asked >>> 0) % JOBS);
    Atomics.store(this.#words, slot, descriptor | (dataOnly ? DATA_ONLY : 0));
    this.#callbacks.push({ descriptor, done });
    const busy = this.#busy.get(descriptor) ?? { jobs: 0, close: false };
    busy.jobs++;
    this.#busy.set(descriptor, busy);
    Atomics.add(this.#words, ASKED, 1);
    Atomics.notify(this.#words, ASKED);
  }

  /** True when a descriptor is in use, and will be closed as soon as it is not. */
  closeAfter(descriptor: number): boolean {
    const busy = this.#busy.get(descriptor);
    if (busy !== undefined) busy.close = true;
    return busy !== undefined;
  }

  poll(): boolean {
    let isAny = false;
    while (this.#callbacks.length > 0 && this.#taken !== Atomics.load(this.#words, DONE)) {
      const slot = FIRST_JOB + 2 * ((this.#taken >>> 0) % JOBS);
      const errno = Atomics.load(this.#words, slot + 1);
      this.#taken = (this.#taken + 1) | 0;
      const { descriptor, done } = this.#callbacks.shift() as Waiting;
      this.#release(descriptor);
      done(errno);
      isAny = true;
    }
    return isAny;
  }

  settle(): void {
    while (this.#callbacks.length > 0) {
      const done = Atomics.load(this.#words, DONE);
      if (!this.poll()) Atomics.wait(this.#words, DONE, done, 1000);
    }
  }

  /** Ends the thread. */
  async dispose(): Promise<void> {
    this.settle();
    await this.#worker?.terminate();
  }

  #release(descriptor: number): void {
    const busy = this.#busy.get(descriptor);
    if (busy === undefined || --busy.jobs > 0) return;
    this.#busy.delete(descriptor);
    if (busy.close) closeSync(descriptor);
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const words = this.#words.buffer as SharedArrayBuffer;
    const workerData: SyncWorkerStart = { words, control: this.#control };
    const worker = new Worker(new URL(`./sync-worker.${extension}`, import.meta.url), {
      workerData,
      name: 'vivarium sync',
    });
    worker.unref();
    return worker;
  }
}
