/** Bytes of past output kept for the first reader while nobody reads. */
const BACKLOG_BYTES = 256 * 1024;
/** Bytes kept of the line that is being printed. */
const LINE_BYTES = 1024;
const NEWLINE = 0x0a;

interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** readers that have not taken it yet */
  waiting: number;
}

interface Reader {
  readonly queue: Chunk[];
  wake: (() => void) | undefined;
}

/**
 * Console output on its way to any number of readers. While somebody reads, the guest waits for the
 * slowest reader; while nobody does, the latest 256 KiB are kept and the guest never waits.
 */
export class ConsoleOutput {
  #consumed: (bytes: number) => void;
  #readers = new Set<Reader>();
  #backlog: Uint8Array<ArrayBuffer>[] = [];
  #backlogBytes = 0;
  #hasEnded = false;
  #line = new Uint8Array();

  /** `consumed` is told how many bytes every reader has taken. */
  constructor(consumed: (bytes: number) => void) {
    this.#consumed = consumed;
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.#followLine(bytes);
    if (this.#readers.size === 0) {
      this.#keep(bytes);
      this.#consumed(bytes.length);
      return;
    }
    const chunk: Chunk = { bytes, waiting: this.#readers.size };
    for (const reader of this.#readers) {
      reader.queue.push(chunk);
      reader.wake?.();
    }
  }

  /** What was printed since the last line end: a prompt, mostly. At most its last 1024 bytes. */
  get currentLine(): Uint8Array<ArrayBuffer> {
    return this.#line;
  }

  /** Gives back the end of what was read: the next reader gets it first. */
  putBack(bytes: Uint8Array<ArrayBuffer>): void {
    this.#backlog.unshift(bytes);
    this.#backlogBytes += bytes.length;
  }

  /** No more output will come. */
  end(): void {
    this.#hasEnded = true;
    for (const reader of this.#readers) reader.wake?.();
  }

  /**
   * Output from now on, and for the first reader what was printed before; ends with the machine or
   * with `signal`, and loses nothing then.
   */
  async *read(signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    const reader: Reader = { queue: this.#takeBacklog(), wake: undefined };
    this.#readers.add(reader);
    const wake = () => reader.wake?.();
    signal?.addEventListener('abort', wake);
    try {
      for (;;) {
        if (signal?.aborted) return;
        const chunk = reader.queue.shift();
        if (chunk !== undefined) {
          try {
            yield chunk.bytes;
          } finally {
            this.#release(chunk);
          }
          continue;
        }
        if (this.#hasEnded) return;
        await new Promise<void>((resolve) => {
          reader.wake = resolve;
        });
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      this.#readers.delete(reader);
      for (const chunk of reader.queue) {
        this.#release(chunk);
        if (this.#readers.size === 0) this.#keep(chunk.bytes);
      }
    }
  }

  #followLine(bytes: Uint8Array<ArrayBuffer>): void {
    const end = bytes.lastIndexOf(NEWLINE);
    const line = end < 0 ? Uint8Array.of(...this.#line, ...tail(bytes)) : bytes.subarray(end + 1);
    this.#line = tail(line).slice();
  }

  #release(chunk: Chunk): void {
    chunk.waiting--;
    if (chunk.waiting === 0) this.#consumed(chunk.bytes.length);
  }

  #keep(bytes: Uint8Array<ArrayBuffer>): void {
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.length;
    while (this.#backlogBytes > BACKLOG_BYTES && this.#backlog.length > 1) {
      this.#backlogBytes -= this.#backlog.shift()?.length ?? 0;
    }
  }

  /** The backlog as chunks that were consumed already. */
  #takeBacklog(): Chunk[] {
    const chunks = this.#backlog.map((bytes) => ({ bytes, waiting: Number.POSITIVE_INFINITY }));
    this.#backlog = [];
    this.#backlogBytes = 0;
    return chunks;
  }
}

function tail(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.subarray(Math.max(0, bytes.length - LINE_BYTES));
}
