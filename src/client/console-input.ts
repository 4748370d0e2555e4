import type { ControlBlock } from '../platform/mod.ts';
import { VivariumError } from '../util/mod.ts';

interface Pending {
  rest: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: VivariumError) => void;
}

/** Console input on its way to the guest: written in order, each write done when the machine has it. */
export class ConsoleInput {
  #control: ControlBlock;
  #pending: Pending[] = [];
  #hasEnded = false;

  constructor(control: ControlBlock) {
    this.#control = control;
  }

  /** Resolves when every byte is in the machine's hands; rejects when the machine has ended. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#hasEnded) return Promise.reject(endedError());
    return new Promise((resolve, reject) => {
      // The caller may reuse its array at once.
      this.#pending.push({ rest: bytes.slice(), resolve, reject });
      this.pump();
    });
  }

  /** Moves waiting bytes on; call when the machine says that it has room. */
  pump(): void {
    const { input } = this.#control;
    let isTold = false;
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      const taken = input.write(next.rest);
      next.rest = next.rest.subarray(taken);
      if (next.rest.length === 0) {
        this.#pending.shift();
        next.resolve();
      } else if (taken === 0) {
        // Ask for room, then look once more: the machine may have made some just before.
        if (isTold) break;
        this.#control.wantRoom();
        isTold = true;
      }
    }
    this.#control.wake();
  }

  end(): void {
    this.#hasEnded = true;
    for (const { reject } of this.#pending) reject(endedError());
    this.#pending = [];
  }
}

function endedError(): VivariumError {
  return new VivariumError('machine-ended', 'the machine has ended and takes no input');
}
