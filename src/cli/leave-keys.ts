const NEWLINE = 0x0a;
const RETURN = 0x0d;
const GROUP_SEPARATOR = 0x1d; // Ctrl-]
const DOT = 0x2e;
const TILDE = 0x7e;

/**
 * Watches what a person types for the wish to leave: Ctrl-] twice, or `~.` at the start of a line.
 * Everything else goes on to the guest. A first Ctrl-] or `~` waits for the key after it;
 * `~~` at the start of a line is one `~` for the guest, as in ssh.
 */
export class LeaveKeys {
  #held: number | undefined;
  #isLineStart = true;

  /** What of `typed` is for the guest, and whether the person wants to leave after that. */
  filter(typed: Uint8Array): { forGuest: Uint8Array; leaves: boolean } {
    const forGuest: number[] = [];
    for (const key of typed) {
      if (this.#held === undefined) {
        this.#first(key, forGuest);
        continue;
      }
      const held = this.#held;
      this.#held = undefined;
      if (held === GROUP_SEPARATOR && key === GROUP_SEPARATOR) return leave(forGuest);
      if (held === TILDE && key === DOT) return leave(forGuest);
      this.#pass(held, forGuest);
      if (held === TILDE && key === TILDE) continue;
      this.#first(key, forGuest);
    }
    return { forGuest: Uint8Array.from(forGuest), leaves: false };
  }

  #first(key: number, forGuest: number[]): void {
    if (key === GROUP_SEPARATOR || (key === TILDE && this.#isLineStart)) this.#held = key;
    else this.#pass(key, forGuest);
  }

  #pass(key: number, forGuest: number[]): void {
    forGuest.push(key);
    this.#isLineStart = key === NEWLINE || key === RETURN;
  }
}

function leave(forGuest: number[]): { forGuest: Uint8Array; leaves: boolean } {
  return { forGuest: Uint8Array.from(forGuest), leaves: true };
}
