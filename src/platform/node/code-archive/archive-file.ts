/**
 * Compiled regions, or handlers, as a file:
 *
 *   +0   8 bytes "VIVCODE1"
 *   +8   u32 bytes of the description, of the module, and of its machine code
 *   +20  SHA-256 of the description
 *   +52  SHA-256 of module and machine code
 *   +84  description (as V8 serializes values), module, machine code
 *
 * What is damaged is as good as not there.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import type { KeptBatch, KeptHandlers } from '../../../engine/mod.ts';
import { moduleOf } from './compiled-module.ts';

const MAGIC = Buffer.from('VIVCODE1');
const HEAD = { sizes: 8, descriptionHash: 20, codeHash: 52, bytes: 84 } as const;
/** No description is larger. */
const MOST_DESCRIPTION = 16 * 2 ** 20;

/** What a module is. */
export type Description =
  | { readonly kind: 'regions'; readonly regions: KeptBatch['regions'] }
  | {
      readonly kind: 'handlers';
      readonly keys: KeptHandlers['keys'];
      readonly indexes: KeptHandlers['indexes'];
    };

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
): Uint8Array[] {
  const description = serialize(what);
  const head = Buffer.alloc(HEAD.bytes);
  MAGIC.copy(head);
  for (const [i, part] of [description, module, code].entries())
    head.writeUInt32LE(part.length, HEAD.sizes + 4 * i);
  hash(description).copy(head, HEAD.descriptionHash);
  hash(module, code).copy(head, HEAD.codeHash);
  return [head, description, module, code];
}

/** Reads what a file holds. Undefined if it is not one of ours, or damaged. */
export function readArchiveFile(path: string): ArchiveFile | undefined {
  try {
    const { description, moduleBytes } = readDescription(path);
    return {
      description: deserialize(description) as Description,
      bytes: moduleBytes,
      load: () => loadModule(path),
    };
  } catch {
    return undefined;
  }
}

function readDescription(path: string): { description: Buffer; moduleBytes: number } {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD.bytes);
    readSync(file, head, 0, HEAD.bytes, 0);
    const { descriptionBytes, moduleBytes } = sizesOf(head);
    const description = Buffer.alloc(descriptionBytes);
    readSync(file, description, 0, descriptionBytes, HEAD.bytes);
    if (!hash(description).equals(head.subarray(HEAD.descriptionHash, HEAD.codeHash)))
      throw new Error('damaged');
    return { description, moduleBytes };
  } finally {
    closeSync(file);
  }
}

function loadModule(path: string): WebAssembly.Module | undefined {
  try {
    const file = readFileSync(path);
    const { descriptionBytes, moduleBytes, codeBytes } = sizesOf(file);
    const start = HEAD.bytes + descriptionBytes;
    const module = new Uint8Array(file.subarray(start, start + moduleBytes));
    const code = new Uint8Array(file.subarray(start + moduleBytes));
    if (code.length !== codeBytes) return undefined;
    if (!hash(module, code).equals(file.subarray(HEAD.codeHash, HEAD.bytes))) return undefined;
    return moduleOf(code, module);
  } catch {
    return undefined;
  }
}

function sizesOf(head: Buffer): {
  descriptionBytes: number;
  moduleBytes: number;
  codeBytes: number;
} {
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('not ours');
  const descriptionBytes = head.readUInt32LE(HEAD.sizes);
  if (descriptionBytes > MOST_DESCRIPTION) throw new Error('damaged');
  return {
    descriptionBytes,
    moduleBytes: head.readUInt32LE(HEAD.sizes + 4),
    codeBytes: head.readUInt32LE(HEAD.sizes + 8),
  };
}

function hash(...parts: Uint8Array[]): Buffer {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
}
