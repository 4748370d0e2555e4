/**
 * Unpacks whole files in memory. Each library is loaded at its first use; gzip is the host's own.
 */
import { CompressionError } from './compression-error.ts';
import { crc32 } from './crc32.ts';
import { type CompressionFormat, detectCompression } from './detect.ts';
import { unpackLz4 } from './lz4.ts';
import { undoX86Filter } from './x86-filter.ts';
import { plainXz } from './xz-filtered.ts';

/** What this file uses of the Streams Standard, which every JavaScript host has. */
interface ByteStream {
  getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> };
  pipeThrough(transform: unknown): ByteStream;
}
const host = globalThis as unknown as {
  readonly ReadableStream: new (source: {
    start(controller: { enqueue(chunk: Uint8Array): void; close(): void }): void;
  }) => ByteStream;
  readonly DecompressionStream: new (format: string) => unknown;
};

const DEFAULT_LIMIT = 2 ** 31;

export interface DecompressOptions {
  /** refuses to produce more than this many bytes */
  readonly limit?: number;
}

/**
 * Unpacks gzip, xz, zstd or LZ4 (legacy frame) data.
 * Throws `CompressionError` when they are damaged, cut short, of no known format, or too large.
 *
 * @example
 * const tar = await decompress(dataTarXz, { limit: 2 ** 30 });
 */
export async function decompress(
  packed: Uint8Array,
  options: DecompressOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const limit = options.limit ?? DEFAULT_LIMIT;
  const format = detectCompression(packed);
  if (format === undefined) throw new CompressionError('The data are in no known compression.');
  if (format === 'lz4') return unpackLz4(packed, limit);
  try {
    if (format === 'zstd') return await unpackZstd(packed, limit);
    if (format === 'xz') return await unpackXz(packed, limit);
    return await collect(await openStream(format, packed), limit);
  } catch (error) {
    if (error instanceof CompressionError) throw error;
    throw new CompressionError(`The ${format} data are damaged or incomplete.`, { cause: error });
  }
}

async function unpackXz(packed: Uint8Array, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const filtered = plainXz(packed);
  const output = await collect(await openStream('xz', filtered?.plain ?? packed), limit);
  if (!filtered) return output;
  undoX86Filter(output);
  if (filtered.crc32 !== undefined && crc32(output) !== filtered.crc32) {
    throw new CompressionError('The xz data are damaged or incomplete.');
  }
  return output;
}

async function openStream(
  format: Exclude<CompressionFormat, 'lz4' | 'zstd'>,
  packed: Uint8Array,
): Promise<ByteStream> {
  const source = new host.ReadableStream({
    start(controller) {
      controller.enqueue(packed);
      controller.close();
    },
  });
  if (format === 'gzip') return source.pipeThrough(new host.DecompressionStream('gzip'));
  const xz = (await import('xz-decompress')) as unknown as {
    readonly default: { readonly XzReadableStream: new (source: ByteStream) => ByteStream };
  };
  return new xz.default.XzReadableStream(source);
}

async function collect(stream: ByteStream, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const sink = new Sink(limit);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return sink.join();
    if (!value) continue;
    if (!sink.add(value)) {
      await reader.cancel();
      throw tooLarge();
    }
  }
}

async function unpackZstd(packed: Uint8Array, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const { Decompress } = await import('fzstd');
  const sink = new Sink(limit);
  const stream = new Decompress((chunk) => {
    if (!sink.add(chunk)) throw tooLarge();
  });
  stream.push(packed, true);
  return sink.join();
}

/** Gathers chunks up to a limit. */
class Sink {
  readonly #limit: number;
  readonly #chunks: Uint8Array[] = [];
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False if the limit is exceeded. */
  add(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#total += chunk.length;
    return this.#total <= this.#limit;
  }

  join(): Uint8Array<ArrayBuffer> {
    const output = new Uint8Array(this.#total);
    let at = 0;
    for (const chunk of this.#chunks) {
      output.set(chunk, at);
      at += chunk.length;
    }
    return output;
  }
}

function tooLarge(): CompressionError {
  return new CompressionError('The data unpack to more than is allowed.');
}
