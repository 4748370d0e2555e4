import { EINVAL, ENAMETOOLONG, ENOENT, FileError } from './errno.ts';
import { IN_HEADER_BYTES, NAME_MAX, PATH_MAX } from './spec.ts';

/**
 * A message of the guest: the header, and what follows it, read front to back. Reading beyond its end throws EINVAL.
 *
 * ```
 * 0 length  4 opcode  8 unique (8)  16 node (8)  24 uid  28 gid  32 pid  36 extensions
 * ```
 */
export class Request {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: number;
  readonly uid: number;
  readonly gid: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = IN_HEADER_BYTES;

  /** @param bytes at least a header */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.opcode = this.#view.getUint32(4, true);
    this.unique = this.#view.getBigUint64(8, true);
    this.node = Number(this.#view.getBigUint64(16, true));
    this.uid = this.#view.getUint32(24, true);
    this.gid = this.#view.getUint32(28, true);
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** 64 bits; what is beyond 2^53 loses its low bits, and is beyond every limit anyway. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  /** A view of the next bytes. */
  bytes(count: number): Uint8Array {
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }

  /** Text that ends with a zero, one character a byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new FileError(EINVAL);
    if (end - this.#at >= PATH_MAX) throw new FileError(ENAMETOOLONG);
    const text = binaryText(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** The name of something in a directory, which can lead nowhere else. */
  name(): string {
    const name = this.text();
    if (name.length > NAME_MAX) throw new FileError(ENAMETOOLONG);
    if (name === '') throw new FileError(ENOENT);
    if (!isPlainName(name)) throw new FileError(EINVAL);
    return name;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) throw new FileError(EINVAL);
    this.#at = at + bytes;
    return at;
  }
}

/** True for names that stand for an entry of a directory: no path, not the directory or its parent. */
export function isPlainName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= NAME_MAX &&
    name !== '.' &&
    name !== '..' &&
    !name.includes('/') &&
    !name.includes('\0')
  );
}

const latin1 = new TextDecoder('latin1');

/** One character a byte, with the byte as its code. */
export function binaryText(bytes: Uint8Array): string {
  if (bytes.every(isAscii)) return latin1.decode(bytes);
  // `latin1` of TextDecoder is windows-1252, which moves the codes from 128 to 159.
  return String.fromCharCode(...bytes);
}

function isAscii(byte: number): boolean {
  return byte < 128;
}
