import { availableParallelism } from 'node:os';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import type {
  BatchCompiler,
  KeptBatch,
  KeptHandlers,
  KeptRegion,
  ModuleSurroundings,
} from '../../engine/mod.ts';
import { type CodeArchivePlace, readArchive } from './code-archive/archive-folder.ts';
import { canReadHints } from './compilation-hints.ts';

/** What the thread is given when it starts. */
export interface BatchStart {
  readonly port: MessagePort;
  /** one word: modules answered so far */
  readonly answered: SharedArrayBuffer;
  /** the folder in which it keeps what it compiles, if it does */
  readonly folder: string | undefined;
}

/** What it is asked for. */
export type BatchOrder =
  | {
      readonly kind: 'regions';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly regions: readonly (KeptRegion | undefined)[];
    }
  /** to be kept only: there is no answer */
  | {
      readonly kind: 'handlers';
      readonly surroundings: ModuleSurroundings;
      readonly keys: Float64Array<ArrayBuffer>;
    };

/** What it answers to the bytes of a module. */
export type BatchAnswer = { readonly module: WebAssembly.Module } | { readonly failure: string };

/** A thread that compiles modules for the thread of one machine, whose event loop need not turn for it. */
export class BatchThread implements BatchCompiler {
  readonly #port: MessagePort;
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  readonly #theirPort: MessagePort;
  #worker: Worker | undefined;
  #taken = 0;

  readonly archive: readonly KeptBatch[] | undefined;
  readonly handlers: KeptHandlers | undefined;
  readonly keeps: boolean;
  readonly #folder: string | undefined;

  /**
   * Undefined where no processor is to spare, or V8 would not compile for speed. What it compiles is kept at `place`,
   * and what is there already can be used at once.
   */
  static start(
    place?: CodeArchivePlace,
    processors = availableParallelism(),
  ): BatchThread | undefined {
    return processors > 1 && canReadHints() ? new BatchThread(place) : undefined;
  }

  private constructor(place: CodeArchivePlace | undefined) {
    this.#folder = place?.isReadOnly === false ? place.directory : undefined;
    this.keeps = this.#folder !== undefined;
    const archive = place && readArchive(place.directory, place.isReadOnly);
    this.archive = archive?.batches;
    this.handlers = archive?.handlers;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#theirPort = port2;
    port1.unref();
  }

  submit(bytes: Uint8Array<ArrayBuffer>, regions: readonly (KeptRegion | undefined)[]): void {
    this.#post({ kind: 'regions', bytes, regions }, [bytes.buffer]);
  }

  submitHandlers({ shared, helpers }: ModuleSurroundings, keys: Float64Array<ArrayBuffer>): void {
    this.#post({ kind: 'handlers', surroundings: { shared, helpers }, keys });
  }

  #post(order: BatchOrder, moved: ArrayBuffer[] = []): void {
    // Most machines of tests are gone before there is anything to compile.
    this.#worker ??= this.#begin();
    this.#port.postMessage(order, moved);
  }

  take(): WebAssembly.Module | undefined {
    if (Atomics.load(this.#answered, 0) === this.#taken) return undefined;
    const received = receiveMessageOnPort(this.#port);
    if (received === undefined) return undefined;
    this.#taken = (this.#taken + 1) | 0;
    const answer = received.message as BatchAnswer;
    if ('failure' in answer) throw new Error(answer.failure);
    return answer.module;
  }

  /** Ends the thread. */
  close(): void {
    void this.#worker?.terminate();
    this.#port.close();
  }

  #begin(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const answered = this.#answered.buffer as SharedArrayBuffer;
    const worker = new Worker(new URL(`./batch-worker.${extension}`, import.meta.url), {
      workerData: { port: this.#theirPort, answered, folder: this.#folder } satisfies BatchStart,
      transferList: [this.#theirPort],
      name: 'vivarium batches',
    });
    worker.unref();
    return worker;
  }
}
