/**
 * The vendor capabilities by which a driver finds the structures, and the window through which it can
 * reach them by configuration accesses alone. VIRTIO 1.2, sections 4.1.4 and 4.1.4.9.
 *
 * ```
 * 00 id 09   02 length   03 kind   04 BAR   08 offset   0c length   10 notify multiplier, or data
 * ```
 */
import type { AccessSize, RegisterBank } from '../../../bus/mod.ts';
import type { PciFunction } from '../../pci/function.ts';
import {
  BAR,
  BAR_BYTES,
  NOTIFY_MULTIPLIER,
  PLACE,
  STRUCTURE_BYTES,
  VIRTIO_PCI_CAP,
} from './registers.ts';

const CAPABILITY_VENDOR = 0x09;
const BODY_BYTES = 14; // without id and link
const BAR_AT = 4;
const OFFSET_AT = 8;
const LENGTH_AT = 12;
const DATA_AT = 16;

/** Adds the capabilities; returns the window's offset. */
export function addVirtioCapabilities(target: PciFunction): number {
  add(target, VIRTIO_PCI_CAP.common, PLACE.common);
  add(target, VIRTIO_PCI_CAP.isr, PLACE.isr);
  add(target, VIRTIO_PCI_CAP.device, PLACE.device);
  add(target, VIRTIO_PCI_CAP.notify, PLACE.notify, NOTIFY_MULTIPLIER);
  const body = new Uint8Array(BODY_BYTES + 4);
  body[0] = body.length + 2;
  body[1] = VIRTIO_PCI_CAP.pci;
  const writable = new Uint8Array(body.length);
  writable.fill(0xff, BAR_AT - 2, BAR_AT - 1);
  writable.fill(0xff, OFFSET_AT - 2);
  return target.addCapability(CAPABILITY_VENDOR, body, writable);
}

function add(target: PciFunction, kind: number, offset: number, multiplier?: number): void {
  const body = new DataView(new ArrayBuffer(BODY_BYTES + (multiplier === undefined ? 0 : 4)));
  body.setUint8(0, body.byteLength + 2);
  body.setUint8(1, kind);
  body.setUint8(2, BAR);
  body.setUint32(6, offset, true);
  body.setUint32(10, STRUCTURE_BYTES, true);
  if (multiplier !== undefined) body.setUint32(14, multiplier, true);
  target.addCapability(CAPABILITY_VENDOR, new Uint8Array(body.buffer));
}

/** The window: an access to its data is an access to the BAR where it points. */
export class ConfigWindow {
  readonly #function: PciFunction;
  readonly #bank: RegisterBank;
  readonly #at: number;

  constructor(target: PciFunction, bank: RegisterBank, at: number) {
    this.#function = target;
    this.#bank = bank;
    this.#at = at;
  }

  /** Before a configuration read: fetches what the window shows. */
  read(offset: number, size: AccessSize): void {
    const shown = this.#pointsAt(offset, size);
    if (shown === undefined) return;
    const value = this.#bank.read(shown.offset, shown.size);
    this.#function.config.set(this.#at + DATA_AT, 4, value);
  }

  /** After a configuration write. */
  written(offset: number, size: AccessSize): void {
    const shown = this.#pointsAt(offset, size);
    if (shown === undefined) return;
    const value = this.#function.config.get(this.#at + DATA_AT, shown.size);
    this.#bank.write(shown.offset, shown.size, value);
  }

  #pointsAt(at: number, bytes: number): { offset: number; size: AccessSize } | undefined {
    const data = this.#at + DATA_AT;
    if (at >= data + 4 || at + bytes <= data) return undefined;
    const { config } = this.#function;
    const offset = config.get(this.#at + OFFSET_AT, 4);
    const size = config.get(this.#at + LENGTH_AT, 4);
    if (config.get(this.#at + BAR_AT, 1) !== BAR || offset % size !== 0) return undefined;
    if ((size !== 1 && size !== 2 && size !== 4) || offset + size > BAR_BYTES) return undefined;
    return { offset, size };
  }
}
