/**
 * Reads files out of an ext4 file system without mounting it: enough to find a kernel in a disk image
 * that somebody else made. Linux, Documentation/filesystems/ext4. Everything read is checked.
 *
 * Left out: files that are not kept in extents (as ext2 and ext3 do), meta block groups, encryption,
 * case folding. A journal that was not replayed is not looked at, so what changed just before a crash
 * may be seen as it was before.
 */
import { VivariumError } from '../../util/mod.ts';

/** Reads bytes of the disk or partition. */
export interface Readable {
  readonly bytes: number;
  read(offset: number, target: Uint8Array): void;
}

const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_BYTES = 1024;
const MAGIC = 0xef53;
const ROOT_INODE = 2;
/** filetype, recover, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir */
const KNOWN_FEATURES = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000;
const FEATURE_64BIT = 0x80;
const EXTENTS_FLAG = 0x80000;
const EXTENT_MAGIC = 0xf30a;
const MAX_EXTENT_DEPTH = 5;
const MAX_EXTENT_NODES = 100_000;
/** An extent that is longer is one that was not written yet, by so much shorter, and reads as zero. */
const MAX_EXTENT_BLOCKS = 32768;
const MAX_LINKS = 16;
const TYPE_MASK = 0xf000;
const TYPE_DIRECTORY = 0x4000;
const TYPE_FILE = 0x8000;
const TYPE_LINK = 0xa000;
/** A target that is shorter than this stands in the inode itself. */
const FAST_LINK_BYTES = 60;
const BLOCK_MAP_OFFSET = 0x28;
/** Larger directories and files are not what we look for. */
const MAX_DIRECTORY_BYTES = 16 << 20;
const MAX_FILE_BYTES = 512 << 20;

interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly bytes: number;
  readonly flags: number;
  /** the 60 bytes that tell where its contents are */
  readonly map: DataView;
}

/** True if an ext file system begins here. */
export function isExt4(disk: Readable): boolean {
  if (disk.bytes < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return false;
  return readView(disk, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES).getUint16(0x38, true) === MAGIC;
}

export class Ext4 {
  #disk: Readable;
  #blockBytes: number;
  #inodeBytes: number;
  #inodeCount: number;
  #inodesPerGroup: number;
  #descriptorBytes: number;
  #firstDataBlock: number;
  #extentNodes = 0;
  /** 16 bytes */
  readonly uuid: Uint8Array;

  /** Throws `filesystem-unreadable` if this is none, or one of a kind that is not known here. */
  constructor(disk: Readable) {
    this.#disk = disk;
    if (!isExt4(disk)) throw unreadable('there is no ext4 file system');
    const superblock = readView(disk, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
    const u32 = (offset: number) => superblock.getUint32(offset, true);
    const unknown = u32(0x60) & ~KNOWN_FEATURES;
    if (unknown !== 0)
      throw unreadable(`its features 0x${unknown.toString(16)} are not known here`);
    const logBlockBytes = u32(0x18);
    if (logBlockBytes > 6) throw damaged();
    this.#blockBytes = 1024 << logBlockBytes;
    this.#inodeCount = u32(0);
    this.#inodesPerGroup = u32(0x28);
    this.#firstDataBlock = u32(0x14);
    const isOld = u32(0x4c) === 0;
    this.#inodeBytes = isOld ? 128 : superblock.getUint16(0x58, true);
    this.#descriptorBytes = u32(0x60) & FEATURE_64BIT ? superblock.getUint16(0xfe, true) : 32;
    this.uuid = new Uint8Array(superblock.buffer, 0x68, 16).slice();
    if (this.#inodesPerGroup === 0 || this.#inodeBytes < 128 || this.#descriptorBytes < 32) {
      throw damaged();
    }
  }

  /** Contents of a file; undefined if there is none of that name. Links are followed. */
  readFile(path: string): Uint8Array<ArrayBuffer> | undefined {
    const inode = this.#find(path);
    if (inode === undefined || (inode.mode & TYPE_MASK) !== TYPE_FILE) return undefined;
    return this.#contents(inode, MAX_FILE_BYTES);
  }

  /** The path without links in it, if there is something. */
  resolve(path: string): string | undefined {
    const walked: string[] = [];
    return this.#find(path, walked) === undefined ? undefined : `/${walked.join('/')}`;
  }

  /** Follows a path from the root; `walked` is left with the names that led there. */
  #find(path: string, walked: string[] = []): Inode | undefined {
    const names = path.split('/');
    const parents: Inode[] = [];
    let here = this.#inode(ROOT_INODE);
    for (let links = 0; names.length > 0; ) {
      const name = names.shift() as string;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        here = parents.pop() ?? here;
        walked.pop();
        continue;
      }
      if ((here.mode & TYPE_MASK) !== TYPE_DIRECTORY) return undefined;
      const number = this.#lookUp(here, name);
      if (number === undefined) return undefined;
      const next = this.#inode(number);
      if ((next.mode & TYPE_MASK) !== TYPE_LINK) {
        parents.push(here);
        walked.push(name);
        here = next;
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      const target = this.#target(next);
      if (target.startsWith('/')) {
        here = this.#inode(ROOT_INODE);
        parents.length = 0;
        walked.length = 0;
      }
      names.unshift(...target.split('/'));
    }
    return here;
  }

  #lookUp(directory: Inode, wanted: string): number | undefined {
    const bytes = this.#contents(directory, MAX_DIRECTORY_BYTES);
    const view = new DataView(bytes.buffer);
    const name = new TextEncoder().encode(wanted);
    for (let at = 0; at + 8 <= bytes.length; ) {
      const length = view.getUint16(at + 4, true);
      const nameBytes = bytes[at + 6] as number;
      if (length < 8 || at + Math.max(length, 8 + nameBytes) > bytes.length) throw damaged();
      const number = view.getUint32(at, true);
      if (number !== 0 && nameBytes === name.length) {
        if (name.every((byte, index) => bytes[at + 8 + index] === byte)) return number;
      }
      at += length;
    }
    return undefined;
  }

  #target(link: Inode): string {
    if (link.bytes >= 4096) throw damaged();
    const isFast = link.bytes < FAST_LINK_BYTES && (link.flags & EXTENTS_FLAG) === 0;
    const bytes = isFast
      ? new Uint8Array(link.map.buffer, link.map.byteOffset, link.bytes)
      : this.#contents(link, FAST_LINK_BYTES + 4096);
    return new TextDecoder().decode(bytes);
  }

  #inode(number: number): Inode {
    if (number < 1 || number > this.#inodeCount) throw damaged();
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const index = (number - 1) % this.#inodesPerGroup;
    const table = (this.#firstDataBlock + 1) * this.#blockBytes;
    const size = this.#descriptorBytes;
    const descriptor = readView(this.#disk, table + group * size, size);
    const high = size >= 64 ? descriptor.getUint32(0x28, true) : 0;
    const block = high * 2 ** 32 + descriptor.getUint32(8, true);
    const offset = block * this.#blockBytes + index * this.#inodeBytes;
    const inode = readView(this.#disk, offset, 128);
    return {
      number,
      mode: inode.getUint16(0, true),
      bytes: inode.getUint32(0x6c, true) * 2 ** 32 + inode.getUint32(4, true),
      flags: inode.getUint32(0x20, true),
      map: new DataView(inode.buffer, BLOCK_MAP_OFFSET, FAST_LINK_BYTES),
    };
  }

  #contents(inode: Inode, limit: number): Uint8Array<ArrayBuffer> {
    if (inode.bytes > limit) throw unreadable('a file is larger than expected');
    if ((inode.flags & EXTENTS_FLAG) === 0) throw unreadable('a file is not kept in extents');
    const contents = new Uint8Array(inode.bytes);
    this.#readExtents(inode.map, MAX_EXTENT_DEPTH, contents);
    return contents;
  }

  /** Reads what a node of the extent tree tells of; blocks that none tells of stay zero. */
  #readExtents(node: DataView, depthLimit: number, contents: Uint8Array): void {
    // Nodes may be named more than once: a small image must not make for endless work.
    if (++this.#extentNodes > MAX_EXTENT_NODES) throw damaged();
    const entries = node.getUint16(2, true);
    const depth = node.getUint16(6, true);
    const isSound = node.getUint16(0, true) === EXTENT_MAGIC && depth <= depthLimit;
    if (!isSound || 12 + entries * 12 > node.byteLength) throw damaged();
    for (let at = 12; at < 12 + entries * 12; at += 12) {
      const first = node.getUint32(at, true) * this.#blockBytes;
      if (first >= contents.length) continue;
      if (depth > 0) {
        const block = node.getUint16(at + 8, true) * 2 ** 32 + node.getUint32(at + 4, true);
        const child = readView(this.#disk, block * this.#blockBytes, this.#blockBytes);
        // Each level is lower than the one above, so there is no circle.
        this.#readExtents(child, depth - 1, contents);
        continue;
      }
      const blocks = node.getUint16(at + 4, true);
      if (blocks > MAX_EXTENT_BLOCKS) continue;
      const block = node.getUint16(at + 6, true) * 2 ** 32 + node.getUint32(at + 8, true);
      const target = contents.subarray(first, first + blocks * this.#blockBytes);
      read(this.#disk, block * this.#blockBytes, target);
    }
  }
}

function readView(disk: Readable, offset: number, bytes: number): DataView<ArrayBuffer> {
  const target = new Uint8Array(bytes);
  read(disk, offset, target);
  return new DataView(target.buffer);
}

function read(disk: Readable, offset: number, target: Uint8Array): void {
  if (offset + target.length > disk.bytes) throw damaged();
  disk.read(offset, target);
}

function damaged(): VivariumError {
  return unreadable('it is damaged');
}

function unreadable(why: string): VivariumError {
  return new VivariumError('filesystem-unreadable', `cannot read the ext4 file system: ${why}`);
}
