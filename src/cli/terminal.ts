/**
 * The terminal of a person who types into a guest: raw, so that every key reaches the guest, and
 * always given back as it was, however this process ends.
 */
export class RawTerminal {
  #input = process.stdin;
  #isRaw = false;
  #restore = () => this.leave();
  // A shell that continues a stopped process has set its own modes meanwhile.
  #continue = () => {
    if (!this.#isRaw) return;
    this.#input.setRawMode(false);
    this.#input.setRawMode(true);
  };

  /** True when a person types: standard input is a terminal. */
  get isPresent(): boolean {
    return this.#input.isTTY === true;
  }

  enter(): void {
    if (!this.isPresent || this.#isRaw) return;
    this.#input.setRawMode(true);
    this.#isRaw = true;
    process.on('exit', this.#restore);
    process.on('SIGCONT', this.#continue);
  }

  /** Harmless when the terminal is not raw, or gone. */
  leave(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    process.off('exit', this.#restore);
    process.off('SIGCONT', this.#continue);
    try {
      this.#input.setRawMode(false);
    } catch {
      // The terminal went away.
    }
  }
}

/** Kernel command line words that tell a Linux init the size and kind of this terminal, if it is one. */
export function terminalEnvironment(): string {
  const { stdout, stdin, env } = process;
  if (stdin.isTTY !== true || stdout.isTTY !== true) return '';
  const words: string[] = [];
  const term = env['TERM'] ?? '';
  if (/^[\w+-]{1,32}$/.test(term)) words.push(`TERM=${term}`);
  if (stdout.rows > 0 && stdout.columns > 0) {
    words.push(`LINES=${stdout.rows}`, `COLUMNS=${stdout.columns}`);
  }
  return words.join(' ');
}
