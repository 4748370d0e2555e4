/** The log of a machine's console: a file that does not grow for ever, written here and read there. */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const NAME = 'console.log';
/** Bytes after which a new file is begun; the one before is kept beside it. */
const LOG_LIMIT = 16 << 20;
const READ_BYTES = 64 << 10;
const LOOK_MILLISECONDS = 100;

export class ConsoleLog {
  #path: string;
  #file: number;
  #bytes = 0;
  #limit: number;

  constructor(directory: string, limit = LOG_LIMIT) {
    this.#path = join(directory, NAME);
    this.#limit = limit;
    this.#file = openSync(this.#path, 'w', 0o600);
  }

  /** Throws what the file system says. */
  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#file, bytes, done);
    }
    this.#bytes += bytes.length;
    if (this.#bytes < this.#limit) return;
    closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = openSync(this.#path, 'w', 0o600);
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What to read of a log. */
export interface ReadLogOptions {
  /** only so many lines from the end; all by default */
  readonly lines?: number | undefined;
  /** goes on until this says that no more will come */
  readonly follow?: (() => Promise<boolean>) | undefined;
}

/** Reads the log in a machine's directory, in pieces. */
export async function* readConsoleLog(
  directory: string,
  options: ReadLogOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { lines, follow } = options;
  const path = join(directory, NAME);
  const before = lines === undefined ? [`${path}.1`, path] : [path];
  let kept: Uint8Array[] = [];
  let position = 0;
  for (const each of before) {
    position = 0;
    for await (const bytes of readFrom(each, 0)) {
      position += bytes.length;
      if (lines === undefined) yield bytes;
      else kept = [lastLines(Buffer.concat([...kept, bytes]), lines)];
    }
  }
  yield* kept;
  while (follow !== undefined) {
    const isLast = !(await follow());
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    if (size < position) {
      // A new file was begun; what was not read is in the one before.
      yield* readFrom(`${path}.1`, position);
      position = 0;
    }
    for await (const bytes of readFrom(path, position)) {
      position += bytes.length;
      yield bytes;
    }
    if (isLast) return;
    await sleep(LOOK_MILLISECONDS);
  }
}

async function* readFrom(path: string, start: number): AsyncGenerator<Uint8Array, void, void> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return;
  try {
    for (let position = start; ; ) {
      const buffer = Buffer.alloc(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The last lines of a text; what stands after the last line end is a line too. */
function lastLines(bytes: Uint8Array, count: number): Uint8Array {
  if (count === 0) return bytes.subarray(bytes.length);
  let at = bytes.length - (bytes.at(-1) === 0x0a ? 1 : 0);
  for (let left = count; left > 0 && at >= 0; left--) at = bytes.lastIndexOf(0x0a, at - 1);
  return bytes.subarray(at + 1);
}
