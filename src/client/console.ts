import type { ConsoleInput } from './console-input.ts';
import type { ConsoleOutput } from './console-output.ts';

/** The serial console of a machine: what the guest prints, and what is typed into it. */
export class MachineConsole implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  #output: ConsoleOutput;
  #input: ConsoleInput;

  constructor(output: ConsoleOutput, input: ConsoleInput) {
    this.#output = output;
    this.#input = input;
  }

  /**
   * Types `data` into the guest; text goes as UTF-8. Resolves when the machine has all of it, which
   * may take as long as the guest does not read. Rejects when the machine has ended.
   */
  write(data: string | Uint8Array): Promise<void> {
    return this.#input.write(typeof data === 'string' ? new TextEncoder().encode(data) : data);
  }

  /**
   * What the guest prints, as it comes, until the machine ends. The first reader also gets what was
   * printed before (the latest 256 KiB). While somebody reads, the guest waits for slow readers.
   * A `signal` ends the reading early; what was not read then is left for the next reader.
   */
  bytes(signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    return this.#output.read(signal);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    return this.bytes();
  }

  /** What stands on the line that the guest is printing now: a prompt, mostly. At most 1024 bytes. */
  get currentLine(): Uint8Array<ArrayBuffer> {
    return this.#output.currentLine;
  }

  /** The same as a web stream. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return ReadableStream.from(this.bytes());
  }

  /** What the guest prints, decoded as UTF-8, in pieces as they come. */
  async *text(): AsyncGenerator<string, void, void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.bytes()) {
      const text = decoder.decode(bytes, { stream: true });
      if (text !== '') yield text;
    }
    const rest = decoder.decode();
    if (rest !== '') yield rest;
  }

  /**
   * What the guest prints, line by line, without line ends. A line comes when it is complete; a
   * prompt that waits on its line is not seen here (`waitFor` sees it).
   */
  async *lines(): AsyncGenerator<string, void, void> {
    let rest = '';
    for await (const text of this.text()) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) yield line.replace(/\r+$/, '');
    }
    if (rest !== '') yield rest.replace(/\r+$/, '');
  }

  /**
   * Reads up to the end of the first match of `pattern` and returns that text, or undefined when the
   * machine ended first. What comes after the match is left for the next reader.
   */
  async waitFor(pattern: string | RegExp): Promise<string | undefined> {
    let seen = '';
    let end = -1;
    for await (const text of this.text()) {
      seen += text;
      end = endOfMatch(seen, pattern);
      if (end >= 0) break;
    }
    if (end < 0) return undefined;
    if (end < seen.length) this.#output.putBack(new TextEncoder().encode(seen.slice(end)));
    return seen.slice(0, end);
  }
}

/** Where the first match of `pattern` ends, or -1. */
function endOfMatch(text: string, pattern: string | RegExp): number {
  if (typeof pattern === 'string') {
    const start = text.indexOf(pattern);
    return start < 0 ? -1 : start + pattern.length;
  }
  const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(text);
  return match === null ? -1 : match.index + match[0].length;
}
