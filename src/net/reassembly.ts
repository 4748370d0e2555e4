/** Puts fragments of IP packets together again. RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722. */
import { type NetClock, SECOND } from './clock.ts';
import type { Fragment, IpPacket } from './wire/ip.ts';

const MAX_PAYLOAD = 65_535;
/** Packets under assembly, and bytes that they may hold together. */
const MAX_PACKETS = 64;
const MAX_BYTES = 1 << 20;
const LIFETIME = 30 * SECOND;

interface Assembly {
  readonly parts: { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly until: number;
  bytes: number;
  /** length of the whole payload, once the last fragment has come */
  total: number | undefined;
}

export class Reassembly {
  readonly #clock: Pick<NetClock, 'now'>;
  readonly #assemblies = new Map<string, Assembly>();
  #bytes = 0;

  constructor(clock: Pick<NetClock, 'now'>) {
    this.#clock = clock;
  }

  /** Bytes that wait for the rest of their packets. */
  get length(): number {
    return this.#bytes;
  }

  /** Takes a fragment; returns the payload of the packet that it completes. Overlaps spoil a packet. */
  add(packet: IpPacket, fragment: Fragment): Uint8Array | undefined {
    const key = `${packet.source}>${packet.destination} ${packet.protocol} ${fragment.id}`;
    const { payload } = packet;
    const end = fragment.offset + payload.length;
    const isSound =
      payload.length > 0 && end <= MAX_PAYLOAD && (!fragment.more || payload.length % 8 === 0);
    if (!isSound) {
      this.#drop(key);
      return undefined;
    }
    const assembly = this.#assemblies.get(key) ?? this.#begin(key);
    const isTooLong = assembly.total !== undefined && end > assembly.total;
    const isSecondEnd = !fragment.more && assembly.parts.some(({ offset }) => offset >= end);
    const overlaps = assembly.parts.some(
      ({ offset, bytes }) => fragment.offset < offset + bytes.length && offset < end,
    );
    if (overlaps || isTooLong || isSecondEnd) {
      this.#drop(key);
      return undefined;
    }
    assembly.parts.push({ offset: fragment.offset, bytes: payload.slice() });
    assembly.bytes += payload.length;
    this.#bytes += payload.length;
    if (!fragment.more) assembly.total = end;
    if (assembly.bytes === assembly.total) {
      const whole = new Uint8Array(assembly.total);
      for (const { offset, bytes } of assembly.parts) whole.set(bytes, offset);
      this.#drop(key);
      return whole;
    }
    this.#shrink();
    return undefined;
  }

  clear(): void {
    this.#assemblies.clear();
    this.#bytes = 0;
  }

  #begin(key: string): Assembly {
    const assembly: Assembly = {
      parts: [],
      until: this.#clock.now() + LIFETIME,
      bytes: 0,
      total: undefined,
    };
    this.#assemblies.set(key, assembly);
    return assembly;
  }

  /** The oldest come first in the map. */
  #shrink(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#assemblies) {
      const isTooMuch = this.#assemblies.size > MAX_PACKETS || this.#bytes > MAX_BYTES;
      if (!isTooMuch && until > now) break;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#assemblies.get(key)?.bytes ?? 0;
    this.#assemblies.delete(key);
  }
}
