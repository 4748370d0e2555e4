/** A guest's kernel for tests: speaks FUSE to a server and looks at its answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_FILE_MESSAGE_BYTES } from '../bus/mod.ts';
import { NodeFolder, Syncer } from '../platform/node/folder/mod.ts';
import { FUSE, IN_HEADER_BYTES } from './fuse/spec.ts';
import { type MetadataStore, temporaryMetadata } from './guest-metadata.ts';
import type { HostFolder } from './host-folder.ts';
import { FolderServer } from './server.ts';

/** Puts together the part of a message behind its header. */
export class Parts {
  readonly #parts: Buffer[] = [];

  u32(...values: number[]): this {
    for (const value of values) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value >>> 0);
      this.#parts.push(bytes);
    }
    return this;
  }

  u64(...values: (number | bigint)[]): this {
    for (const value of values) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      this.#parts.push(bytes);
    }
    return this;
  }

  text(...texts: string[]): this {
    for (const text of texts) this.#parts.push(Buffer.from(`${text}\0`, 'latin1'));
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  build(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export const parts = () => new Parts();

/** A whole message. */
export function message(
  opcode: number,
  node: number,
  body: Uint8Array = new Uint8Array(0),
  { uid = 0, gid = 0, unique = 77n } = {},
): Buffer {
  const header = parts()
    .u32(IN_HEADER_BYTES + body.length, opcode)
    .u64(unique, node)
    .u32(uid, gid, 1, 0);
  return header.bytes(body).build();
}

export interface Attributes {
  readonly ino: bigint;
  readonly size: number;
  readonly mtime: bigint;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: number;
}

function attributes(bytes: Buffer, at: number): Attributes {
  return {
    ino: bytes.readBigUInt64LE(at),
    size: Number(bytes.readBigUInt64LE(at + 8)),
    mtime: bytes.readBigInt64LE(at + 32) * 1_000_000_000n + BigInt(bytes.readUInt32LE(at + 52)),
    mode: bytes.readUInt32LE(at + 60),
    nlink: bytes.readUInt32LE(at + 64),
    uid: bytes.readUInt32LE(at + 68),
    gid: bytes.readUInt32LE(at + 72),
    device: bytes.readUInt32LE(at + 76),
  };
}

export interface Entry extends Attributes {
  readonly node: number;
}

/** The guest was refused, with this number. */
export class Refused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`refused with ${errno}`);
    this.errno = errno;
  }
}

/** A server and the guest that uses it. */
export class TestGuest {
  readonly server: FolderServer;
  uid = 0;
  gid = 0;

  constructor(server: FolderServer) {
    this.server = server;
    this.call(FUSE.INIT, 0, parts().u32(7, 38, 131072, 0xffff_ffff, 0).build());
  }

  /** Sends a message; returns what follows the header of the answer. */
  call(opcode: number, node: number, body?: Uint8Array): Buffer {
    let answer: Buffer | undefined;
    const request = message(opcode, node, body, { uid: this.uid, gid: this.gid });
    this.server.handle(request, MAX_FILE_MESSAGE_BYTES, (bytes) => {
      answer = Buffer.from(bytes);
    });
    if (answer === undefined) this.server.settle();
    if (answer === undefined) throw new Error('no answer');
    if (answer.length === 0) return answer;
    if (answer.readUInt32LE(0) !== answer.length) throw new Error('a length that is not');
    if (answer.readBigUInt64LE(8) !== 77n) throw new Error('an answer to another question');
    const errno = -answer.readInt32LE(4);
    if (errno !== 0) throw new Refused(errno);
    return answer.subarray(16);
  }

  #entry(bytes: Buffer): Entry {
    return { node: Number(bytes.readBigUInt64LE(0)), ...attributes(bytes, 40) };
  }

  lookUp(parent: number, name: string): Entry {
    return this.#entry(this.call(FUSE.LOOKUP, parent, parts().text(name).build()));
  }

  /** Follows a path from the root; `''` is the root itself. */
  walk(path: string): number {
    let node = 1;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node = this.lookUp(node, name).node;
    }
    return node;
  }

  attributes(node: number): Attributes {
    return attributes(this.call(FUSE.GETATTR, node, parts().u32(0, 0).u64(0).build()), 16);
  }

  /** `fields` by their places in `fuse_setattr_in`. */
  setAttributes(
    node: number,
    fields: {
      mode?: number;
      uid?: number;
      gid?: number;
      size?: number;
      handle?: number;
      times?: number;
    },
  ): Attributes {
    const { mode, uid, gid, size, handle, times } = fields;
    const valid =
      (mode === undefined ? 0 : 1) |
      (uid === undefined ? 0 : 2) |
      (gid === undefined ? 0 : 4) |
      (size === undefined ? 0 : 8) |
      (times === undefined ? 0 : 0x30) |
      (handle === undefined ? 0 : 0x40);
    const body = parts()
      .u32(valid, 0)
      .u64(handle ?? 0, size ?? 0, 0, times ?? 0, times ?? 0, 0)
      .u32(0, 0, 0, mode ?? 0, 0, uid ?? 0, gid ?? 0, 0);
    return attributes(this.call(FUSE.SETATTR, node, body.build()), 16);
  }

  makeDirectory(parent: number, name: string, mode = 0o755): Entry {
    return this.#entry(this.call(FUSE.MKDIR, parent, parts().u32(mode, 0).text(name).build()));
  }

  makeNode(parent: number, name: string, mode: number, device = 0): Entry {
    const body = parts().u32(mode, device, 0, 0).text(name);
    return this.#entry(this.call(FUSE.MKNOD, parent, body.build()));
  }

  makeSymlink(parent: number, name: string, target: string): Entry {
    return this.#entry(this.call(FUSE.SYMLINK, parent, parts().text(name, target).build()));
  }

  makeLink(node: number, parent: number, name: string): Entry {
    return this.#entry(this.call(FUSE.LINK, parent, parts().u64(node).text(name).build()));
  }

  readLink(node: number): string {
    return this.call(FUSE.READLINK, node).toString('latin1');
  }

  unlink(parent: number, name: string): void {
    this.call(FUSE.UNLINK, parent, parts().text(name).build());
  }

  removeDirectory(parent: number, name: string): void {
    this.call(FUSE.RMDIR, parent, parts().text(name).build());
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags = 0): void {
    const body = parts().u64(newParent).u32(flags, 0).text(name, newName);
    this.call(FUSE.RENAME2, parent, body.build());
  }

  open(node: number, flags = 0): { handle: number; keepsCache: boolean } {
    const answer = this.call(FUSE.OPEN, node, parts().u32(flags, 0).build());
    return {
      handle: Number(answer.readBigUInt64LE(0)),
      keepsCache: (answer.readUInt32LE(8) & 2) !== 0,
    };
  }

  create(parent: number, name: string, flags: number, mode = 0o644): Entry & { handle: number } {
    const body = parts().u32(flags, mode, 0, 0).text(name);
    const answer = this.call(FUSE.CREATE, parent, body.build());
    return { ...this.#entry(answer), handle: Number(answer.readBigUInt64LE(128)) };
  }

  read(handle: number, offset: number, size: number): Buffer {
    return this.call(FUSE.READ, 1, parts().u64(handle, offset).u32(size, 0).u64(0).build());
  }

  write(handle: number, offset: number, bytes: Uint8Array): number {
    const body = parts().u64(handle, offset).u32(bytes.length, 0).u64(0).u32(0, 0).bytes(bytes);
    return this.call(FUSE.WRITE, 1, body.build()).readUInt32LE(0);
  }

  sync(handle: number): void {
    this.call(FUSE.FSYNC, 1, parts().u64(handle).u32(0, 0).build());
  }

  release(handle: number): void {
    this.call(FUSE.RELEASE, 1, parts().u64(handle).u32(0, 0).u64(0).build());
  }

  forget(node: number, count = 1): void {
    this.call(FUSE.FORGET, node, parts().u64(count).build());
  }

  openDirectory(node: number): number {
    return Number(this.call(FUSE.OPENDIR, node, parts().u32(0, 0).build()).readBigUInt64LE(0));
  }

  /** Names in a directory, read in pieces of `size` bytes. */
  list(node: number, { plus = false, size = 4096 } = {}): string[] {
    const handle = this.openDirectory(node);
    const names: string[] = [];
    for (let offset = 0; ; ) {
      const body = parts().u64(handle, offset).u32(size, 0).u64(0).build();
      const bytes = this.call(plus ? FUSE.READDIRPLUS : FUSE.READDIR, node, body);
      if (bytes.length === 0) break;
      for (let at = 0; at < bytes.length; ) {
        const entry = at + (plus ? 128 : 0);
        offset = Number(bytes.readBigUInt64LE(entry + 8));
        const length = bytes.readUInt32LE(entry + 16);
        names.push(bytes.toString('latin1', entry + 24, entry + 24 + length));
        at = entry + ((24 + length + 7) & ~7);
      }
    }
    this.call(FUSE.RELEASEDIR, node, parts().u64(handle).u32(0, 0).u64(0).build());
    return names.filter((name) => name !== '.' && name !== '..');
  }
}

export interface TestShareOptions {
  readonly readOnly?: boolean;
  readonly uid?: number;
  readonly metadata?: MetadataStore;
  /** between the folder and the server */
  readonly wrap?: (folder: HostFolder) => HostFolder;
}

/** A temporary folder and a server of it. */
export class TestShare implements AsyncDisposable {
  readonly path: string;
  readonly #syncer = new Syncer();
  readonly #folders: NodeFolder[] = [];

  readonly #isOurs: boolean;

  /** @param path of a folder that is there already, and stays */
  constructor(path?: string) {
    this.#isOurs = path === undefined;
    this.path = path ?? mkdtempSync(join(tmpdir(), 'vivarium-share-'));
  }

  serve({ readOnly = false, uid = 0, metadata, wrap }: TestShareOptions = {}): FolderServer {
    const { path } = this;
    const folder = new NodeFolder({ path, readOnly, syncer: this.#syncer, folders: 1 });
    this.#folders.push(folder);
    return new FolderServer('folder-0', {
      host: wrap?.(folder) ?? folder,
      metadata: metadata ?? temporaryMetadata(),
      owner: { uid, gid: uid },
    });
  }

  guest(options?: TestShareOptions): TestGuest {
    return new TestGuest(this.serve(options));
  }

  on(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#syncer.dispose();
    for (const folder of this.#folders) folder.dispose();
    if (this.#isOurs) rmSync(this.path, { recursive: true, force: true });
  }
}
