/** Says something to the person at the command line: standard output belongs to the guest. */
export function say(message: string, isAtLineStart = true): void {
  process.stderr.write(`${isAtLineStart ? '' : '\n'}viv: ${message}\n`);
}

/** Tells what is being done before a machine can start: in place on a terminal, else line by line. */
export class Progress {
  #isTerminal = process.stderr.isTTY === true;
  #shown = '';

  show(message: string): void {
    if (message === this.#shown) return;
    this.#shown = message;
    if (this.#isTerminal) {
      const width = Math.max(20, (process.stderr.columns ?? 80) - 1);
      process.stderr.write(`\r\x1b[K${`viv: ${withBar(message)}`.slice(0, width)}`);
    } else say(message);
  }

  clear(): void {
    if (this.#isTerminal && this.#shown !== '') process.stderr.write('\r\x1b[K');
    this.#shown = '';
  }
}

const BAR_CELLS = 20;

/** A percentage at the end of a message becomes a bar. */
function withBar(message: string): string {
  const match = /^(.*?):? (\d{1,3}) ?%$/.exec(message);
  if (match === null) return message;
  const filled = Math.round((Math.min(100, Number(match[2])) / 100) * BAR_CELLS);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)} ${match[1]}`;
}
