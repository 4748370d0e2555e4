/**
 * Compiled regions, or handlers, as a file:
 *
 *   +0   8 bytes "VIVCODE1"
 *   +8   u32 kind; u32 numbers and u32 bytes of the description; u32 bytes of the module, and of its machine code
 *   +28  u32 CRC-32 of the description, and of module and machine code together
 *   +36  the description's numbers (i32), its bytes, module, machine code
 *
 * What is damaged is as good as not there.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { moduleOf } from './compiled-module.ts';
import { type Description, packDescription, unpackDescription } from './description.ts';

const MAGIC = Buffer.from('VIVCODE1');
const HEAD = {
  ...{ kind: 8, numbers: 12, bytes: 16, module: 20, code: 24 },
  ...{ descriptionCheck: 28, codeCheck: 32, size: 36 },
} as const;
/** No part is larger. */
const MOST_BYTES = 256 * 2 ** 20;

/** A file of the archive: its code waits until it is wanted. */
export interface ArchiveFile {
  readonly description: Description;
  /** of the module */
  readonly bytes: number;
  /** The module; undefined when it cannot be had any more. */
  load(): WebAssembly.Module | undefined;
}

/** The contents of a file. */
export function archiveFile(
  what: Description,
  module: Uint8Array<ArrayBuffer>,
  code: Uint8Array<ArrayBuffer>,
): Uint8Array {
  const { kind, numbers, bytes } = packDescription(what);
  const description = Buffer.concat([
    Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength),
    bytes,
  ]);
  const head = Buffer.alloc(HEAD.size);
  MAGIC.copy(head);
  head.writeUInt32LE(kind, HEAD.kind);
  head.writeUInt32LE(numbers.length, HEAD.numbers);
  head.writeUInt32LE(bytes.length, HEAD.bytes);
  head.writeUInt32LE(module.length, HEAD.module);
  head.writeUInt32LE(code.length, HEAD.code);
  head.writeUInt32LE(crc32(description), HEAD.descriptionCheck);
  head.writeUInt32LE(crc32(code, crc32(module)), HEAD.codeCheck);
  return Buffer.concat([head, description, module, code]);
}

/** Reads what a file holds. Undefined if it is not one of ours, or damaged. */
export function readArchiveFile(path: string): ArchiveFile | undefined {
  try {
    const { head, description } = readParts(path, ({ numbers, bytes }) => ({
      at: HEAD.size,
      parts: { description: 4 * numbers + bytes },
    }));
    if (crc32(description) !== head.descriptionCheck) return undefined;
    const numbers = new Int32Array(description.buffer, 0, head.numbers);
    const bytes = description.subarray(4 * head.numbers);
    return {
      description: unpackDescription({ kind: head.kind, numbers, bytes }),
      bytes: head.module,
      load: () => loadModule(path),
    };
  } catch {
    return undefined;
  }
}

function loadModule(path: string): WebAssembly.Module | undefined {
  try {
    const { head, module, code } = readParts(path, ({ numbers, bytes, module, code }) => ({
      at: HEAD.size + 4 * numbers + bytes,
      parts: { module, code },
    }));
    if (crc32(code, crc32(module)) !== head.codeCheck) return undefined;
    return moduleOf(code, module);
  } catch {
    return undefined;
  }
}

type Head = Readonly<Record<Exclude<keyof typeof HEAD, 'size'>, number>>;

/** Reads the head of a file, then parts that lie one behind the other, each into a buffer of its own. */
function readParts<Name extends string>(
  path: string,
  plan: (head: Head) => { at: number; parts: Record<Name, number> },
): { head: Head } & Record<Name, Uint8Array<ArrayBuffer>> {
  const file = openSync(path, 'r');
  try {
    const head = readHead(readExactly(file, HEAD.size, 0));
    const { at, parts } = plan(head);
    let position = at;
    const found: Record<string, Uint8Array<ArrayBuffer>> = {};
    for (const [name, bytes] of Object.entries<number>(parts)) {
      found[name] = readExactly(file, bytes, position);
      position += bytes;
    }
    return { head, ...(found as Record<Name, Uint8Array<ArrayBuffer>>) };
  } finally {
    closeSync(file);
  }
}

function readHead(head: Uint8Array<ArrayBuffer>): Head {
  if (!MAGIC.equals(head.subarray(0, MAGIC.length))) throw new Error('not ours');
  const view = new DataView(head.buffer);
  const fields = Object.entries(HEAD).filter(([name]) => name !== 'size');
  return Object.fromEntries(fields.map(([name, at]) => [name, view.getUint32(at, true)])) as Head;
}

function readExactly(file: number, bytes: number, position: number): Uint8Array<ArrayBuffer> {
  if (bytes > MOST_BYTES) throw new Error('damaged');
  const part = new Uint8Array(bytes);
  if (readSync(file, part, 0, bytes, position) !== bytes) throw new Error('truncated');
  return part;
}
