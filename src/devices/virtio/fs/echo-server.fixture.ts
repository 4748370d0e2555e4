import type { FileServer } from '../../../bus/mod.ts';
import { record, section, u32 } from '../../../state/mod.ts';

/** A file server that answers with what it was asked, at once or, when the opcode is odd, at the next `poll`. */
export class EchoServer implements FileServer {
  handled = 0;
  resets = 0;
  #late: (() => void)[] = [];
  readonly persist = section({
    name: 'echo',
    version: 1,
    check: record({ handled: u32 }),
    save: () => ({ handled: this.handled }),
    load: ({ handled }) => {
      this.handled = handled;
    },
  });

  handle(message: Uint8Array, room: number, reply: (answer: Uint8Array) => void): void {
    this.handled++;
    const answer = message.slice(0, room);
    if ((message[4] ?? 0) % 2 === 0) reply(answer);
    else this.#late.push(() => reply(answer));
  }

  poll(): boolean {
    const late = this.#late.splice(0);
    for (const reply of late) reply();
    return late.length > 0;
  }

  settle(): void {
    this.poll();
  }

  reset(): void {
    this.resets++;
  }
}
