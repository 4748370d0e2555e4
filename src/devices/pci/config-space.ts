/**
 * The 256 bytes of a function's configuration space, each bit read-only, writable, or cleared by writing
 * a one. PCI Local Bus Specification 3.0, chapter 6.
 */
import type { AccessSize } from '../../bus/mod.ts';

export const PCI_CONFIG_BYTES = 256;

export class PciConfigSpace {
  readonly #bytes = new Uint8Array(PCI_CONFIG_BYTES);
  readonly #writable = new Uint8Array(PCI_CONFIG_BYTES);
  readonly #clearable = new Uint8Array(PCI_CONFIG_BYTES);

  /** What the guest reads at `offset`, little-endian. */
  get(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      value |= (this.#bytes[offset + byte] ?? 0xff) << (8 * byte);
    }
    return value >>> 0;
  }

  /** Sets bytes past all protection: for the device itself. */
  set(offset: number, size: AccessSize, value: number): void {
    for (let byte = 0; byte < size; byte++) this.#bytes[offset + byte] = value >>> (8 * byte);
  }

  /** Lets the guest write the bits of `mask`. */
  allow(offset: number, size: AccessSize, mask: number): void {
    for (let byte = 0; byte < size; byte++) this.#writable[offset + byte] = mask >>> (8 * byte);
  }

  /** Lets the guest clear the bits of `mask` by writing ones. */
  allowClear(offset: number, size: AccessSize, mask: number): void {
    for (let byte = 0; byte < size; byte++) this.#clearable[offset + byte] = mask >>> (8 * byte);
  }

  /** A write by the guest. */
  write(offset: number, size: AccessSize, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      if (at >= PCI_CONFIG_BYTES) return;
      const bits = (value >>> (8 * byte)) & 0xff;
      const writable = this.#writable[at] as number;
      const kept = (this.#bytes[at] as number) & ~writable;
      this.#bytes[at] = (kept | (bits & writable)) & ~(bits & (this.#clearable[at] as number));
    }
  }

  save(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }

  /** True when `saved` differs from what is here only in bits that can change. */
  accepts(saved: Uint8Array): boolean {
    return saved.every((byte, at) => {
      const free = (this.#writable[at] as number) | (this.#clearable[at] as number);
      return ((byte ^ (this.#bytes[at] as number)) & ~free) === 0;
    });
  }

  load(saved: Uint8Array): void {
    this.#bytes.set(saved);
  }

  /** Clears every bit that the guest can change. */
  clearWritable(): void {
    for (let at = 0; at < PCI_CONFIG_BYTES; at++) {
      const free = (this.#writable[at] as number) | (this.#clearable[at] as number);
      this.#bytes[at] = (this.#bytes[at] as number) & ~free;
    }
  }
}
