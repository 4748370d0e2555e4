import { SingleBar } from 'cli-progress';
import { say } from './messages.ts';

/** How far something long is: a bar on a terminal, a line for each step elsewhere. */
export class ProgressBar {
  #title: string;
  #bar: SingleBar | undefined;
  #shown = '';

  constructor(title: string) {
    this.#title = title;
    if (process.stderr.isTTY !== true) return;
    this.#bar = new SingleBar({
      format: 'viv: {bar} {percentage} % {what}',
      stream: process.stderr,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
    });
    this.#bar.start(100, 0, { what: title });
  }

  /** `done` goes from 0 to 1. */
  show(what: string, done: number): void {
    this.#bar?.update(Math.round(done * 100), { what });
    if (this.#bar === undefined && what !== this.#shown) say(`${this.#title}: ${what}`);
    this.#shown = what;
  }

  /** Takes the bar away. */
  close(): void {
    this.#bar?.stop();
  }
}
