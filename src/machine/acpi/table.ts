/** The header that all system description tables share. ACPI specification 6.5, section 5.2.6. */
import { ascii } from './aml.ts';

export const TABLE_HEADER_BYTES = 36;
const OEM_ID = 'VIVAR ';
const OEM_TABLE_ID = 'VIVARIUM';
const CREATOR_ID = 'VIVA';

/** A table being written, little-endian, at offsets from its start. */
export class AcpiTable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  /**
   * ```
   *  0 signature  4 length  8 revision  9 checksum  10 OEM id  16 OEM table id
   *  24 OEM revision  28 creator id  32 creator revision
   * ```
   */
  constructor(signature: string, revision: number, length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
    this.put(0, ascii(signature));
    this.u32(4, length);
    this.u8(8, revision);
    this.put(10, ascii(OEM_ID));
    this.put(16, ascii(OEM_TABLE_ID));
    this.u32(24, 1);
    this.put(28, ascii(CREATOR_ID));
    this.u32(32, 1);
  }

  put(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }

  u8(offset: number, value: number): void {
    this.#view.setUint8(offset, value);
  }

  u16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  u32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  u64(offset: number, value: number): void {
    this.#view.setBigUint64(offset, BigInt(value), true);
  }

  /** A generic address structure for I/O ports: section 5.2.3.2. */
  ports(offset: number, port: number, bytes: number): void {
    const accessSize = bytes === 1 ? 1 : bytes === 2 ? 2 : 3;
    this.u8(offset, 1); // system I/O
    this.u8(offset + 1, 8 * bytes);
    this.u8(offset + 3, accessSize);
    this.u64(offset + 4, port);
  }

  /** The table with its checksum. */
  finish(): Uint8Array<ArrayBuffer> {
    this.u8(9, 0);
    this.u8(9, checksum(this.bytes));
    return this.bytes;
  }
}

/** The byte that makes all bytes add up to zero. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
