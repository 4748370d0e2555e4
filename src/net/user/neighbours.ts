import { addressBytes, familyOf, type IpAddress, isUnicast } from '../address.ts';
import { BROADCAST_MAC, isGroupMac } from '../mac.ts';
import { BROADCAST4 } from './plan.ts';

const MAX_NEIGHBOURS = 256;
const MAX_WAITING_FOR = 16;
const MAX_WAITING_EACH = 8;

/**
 * Which Ethernet address has which station of the link: learned from what stations send, and asked for when a packet
 * is to go to one that has not been heard of. Such packets wait, a few of them.
 */
export class Neighbours {
  readonly #ask: (address: IpAddress) => void;
  readonly #macs = new Map<IpAddress, Uint8Array>();
  readonly #waiting = new Map<IpAddress, ((mac: Uint8Array) => void)[]>();

  /** `ask` sends a request for the Ethernet address of a station. */
  constructor(ask: (address: IpAddress) => void) {
    this.#ask = ask;
  }

  /** A station at `address` was heard from `mac`, which is 6 bytes at `offset`. */
  learn(address: IpAddress, bytes: Uint8Array, offset = 0): void {
    if (!isUnicast(address) || isGroupMac(bytes, offset)) return;
    const known = this.#macs.get(address);
    if (known?.every((byte, index) => byte === bytes[offset + index])) return;
    if (known === undefined && this.#macs.size >= MAX_NEIGHBOURS) {
      const [oldest] = this.#macs.keys();
      if (oldest !== undefined) this.#macs.delete(oldest);
    }
    const mac = bytes.slice(offset, offset + 6);
    this.#macs.set(address, mac);
    const waiting = this.#waiting.get(address);
    this.#waiting.delete(address);
    for (const send of waiting ?? []) send(mac);
  }

  /** The Ethernet address for `address`, if it is known or follows from it. */
  macOf(address: IpAddress): Uint8Array | undefined {
    const known = this.#macs.get(address);
    if (known !== undefined) return known;
    if (address === '255.255.255.255' || address === BROADCAST4) return BROADCAST_MAC;
    const bytes = addressBytes(address);
    if (familyOf(address) === 6 && bytes[0] === 0xff) {
      return Uint8Array.of(0x33, 0x33, ...bytes.subarray(12));
    }
    return undefined;
  }

  /** Calls `send` once the station is heard of, and asks for it. Too many who wait are forgotten. */
  whenKnown(address: IpAddress, send: (mac: Uint8Array) => void): void {
    const waiting = this.#waiting.get(address) ?? [];
    if (waiting.length === 0) {
      if (this.#waiting.size >= MAX_WAITING_FOR) {
        const [oldest] = this.#waiting.keys();
        if (oldest !== undefined) this.#waiting.delete(oldest);
      }
      this.#waiting.set(address, waiting);
    }
    if (waiting.length >= MAX_WAITING_EACH) waiting.shift();
    waiting.push(send);
    this.#ask(address);
  }

  clear(): void {
    this.#macs.clear();
    this.#waiting.clear();
  }
}
