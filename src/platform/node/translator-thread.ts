import { availableParallelism } from 'node:os';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import type {
  RegionJob,
  RegionProduct,
  RegionWorkshop,
  TablePlace,
  WorkshopPlace,
} from '../../engine/mod.ts';

/** What the translator's thread is given when it starts. */
export interface TranslatorStart {
  readonly place: WorkshopPlace;
  readonly port: MessagePort;
  /** TRANSLATOR_WORDS */
  readonly words: SharedArrayBuffer;
}

/** What both threads know. */
export const TRANSLATOR_WORDS = {
  /** answers so far */
  answered: 0,
  /** 1 while the translator waits until it is woken */
  asleep: 1,
  count: 2,
} as const;

export type TranslatorMessage =
  | { readonly kind: 'translate'; readonly job: RegionJob }
  | { readonly kind: 'release'; readonly table: TablePlace }
  | { readonly kind: 'clear' };

/** What it answers to each job. */
export type TranslatorAnswer = RegionProduct | { readonly failure: string };

/**
 * A thread that translates for the thread of one machine, whose event loop need not turn for it. To wake a thread
 * takes the waker up to a millisecond where the host is a virtual machine itself: so the translator looks for work by
 * itself while there is some now and then, and is woken only after a rest.
 */
export class TranslatorThread implements RegionWorkshop {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  #taken = 0;

  /** Undefined on a host with so few processors that a second thread would only take the guest's time. */
  static start(
    place: WorkshopPlace,
    processors = availableParallelism(),
  ): TranslatorThread | undefined {
    return processors > 2 ? new TranslatorThread(place) : undefined;
  }

  private constructor(place: WorkshopPlace) {
    const { port1, port2 } = new MessageChannel();
    const words = new SharedArrayBuffer(4 * TRANSLATOR_WORDS.count);
    this.#port = port1;
    this.#words = new Int32Array(words);
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./translator-worker.${extension}`, import.meta.url), {
      workerData: { place, port: port2, words } satisfies TranslatorStart,
      transferList: [port2],
      name: 'vivarium translator',
    });
    worker.unref();
    this.#worker = worker;
    port1.unref();
  }

  submit(job: RegionJob): void {
    this.#post({ kind: 'translate', job }, [job.numbers.buffer]);
  }

  take(): RegionProduct | undefined {
    if (Atomics.load(this.#words, TRANSLATOR_WORDS.answered) === this.#taken) return undefined;
    const received = receiveMessageOnPort(this.#port);
    if (received === undefined) return undefined;
    this.#taken = (this.#taken + 1) | 0;
    const answer = received.message as TranslatorAnswer;
    if ('failure' in answer) throw new Error(answer.failure);
    return answer;
  }

  release(table: TablePlace): void {
    this.#post({ kind: 'release', table });
  }

  clear(): void {
    this.#post({ kind: 'clear' });
  }

  /** Ends the thread. */
  close(): void {
    void this.#worker.terminate();
  }

  #post(message: TranslatorMessage, moved: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, moved);
    const { asleep } = TRANSLATOR_WORDS;
    if (Atomics.exchange(this.#words, asleep, 0) === 1) Atomics.notify(this.#words, asleep);
  }
}
