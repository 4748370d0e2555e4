/** Which port of a switch an Ethernet address was last seen at. IEEE 802.1Q, section 8.8 "The filtering database". */
import type { NetClock } from '../clock.ts';
import { SECOND } from '../clock.ts';

/** An address that was silent for so long is forgotten. */
const AGE = 300 * SECOND;
const MAX_ADDRESSES = 4096;

export class MacTable<Port> {
  readonly #clock: NetClock;
  /** by the address as a number, the longest unheard first */
  readonly #entries = new Map<number, { readonly port: Port; readonly heard: number }>();

  constructor(clock: NetClock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The address at `offset` of `frame` is at `port`. */
  learn(frame: Uint8Array, offset: number, port: Port): void {
    const key = keyOf(frame, offset);
    this.#entries.delete(key);
    this.#entries.set(key, { port, heard: this.#clock.now() });
    if (this.#entries.size <= MAX_ADDRESSES) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  /** Where the address at `offset` of `frame` is. */
  find(frame: Uint8Array, offset: number): Port | undefined {
    const key = keyOf(frame, offset);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#clock.now() - entry.heard <= AGE) return entry.port;
    this.#entries.delete(key);
    return undefined;
  }

  /** Forgets all addresses at `port`. */
  forget(port: Port): void {
    for (const [key, entry] of this.#entries) if (entry.port === port) this.#entries.delete(key);
  }
}

function keyOf(frame: Uint8Array, offset: number): number {
  let key = 0;
  for (let index = 0; index < 6; index++) key = key * 256 + (frame[offset + index] ?? 0);
  return key;
}
