/**
 * The server of one shared folder: takes FUSE messages and works on a folder of the host.
 *
 * All of Linux's file operations are there but these: extended attributes and access lists, reserving and punching
 * (fallocate), SEEK_HOLE, exchanging two names, unnamed temporary files. The guest's kernel does without the ones it can
 * (it copies and seeks itself), and refuses the others. Locks are the guest kernel's own: they hold among its processes.
 * Names that the guest found are believed for a second, so what the host changes is seen a second later at most; names
 * that it did not find are looked for each time.
 */
import type { FileServer } from '../bus/mod.ts';
import { type Persist, section } from '../state/mod.ts';
import { type Operation, Share, type ShareOptions } from './context.ts';
import { EIO, ENOSYS, EROFS, errnoOf } from './fuse/errno.ts';
import { Request } from './fuse/request.ts';
import { FUSE, IN_HEADER_BYTES, OUT_HEADER_BYTES } from './fuse/spec.ts';
import { attributeOperations } from './operations/attributes.ts';
import { directoryOperations } from './operations/directories.ts';
import { fileOperations } from './operations/files.ts';
import { nameOperations } from './operations/names.ts';
import { sessionOperations } from './operations/session.ts';
import { checkShare, loadShare, type ShareState, saveShare } from './state.ts';

const operations = new Map<number, Operation>(
  [
    sessionOperations,
    nameOperations,
    attributeOperations,
    fileOperations,
    directoryOperations,
  ].flatMap((group) => Object.entries(group).map(([opcode, serve]) => [Number(opcode), serve])),
);

/** What changes something, and is refused where nothing may be changed. */
const CHANGES: ReadonlySet<number> = new Set([
  FUSE.SETATTR,
  FUSE.SYMLINK,
  FUSE.MKNOD,
  FUSE.MKDIR,
  FUSE.UNLINK,
  FUSE.RMDIR,
  FUSE.RENAME,
  FUSE.RENAME2,
  FUSE.LINK,
  FUSE.WRITE,
  FUSE.SETXATTR,
  FUSE.REMOVEXATTR,
  FUSE.CREATE,
  FUSE.FALLOCATE,
  FUSE.COPY_FILE_RANGE,
  FUSE.TMPFILE,
]);

/** What the guest does not wait for. */
const UNANSWERED: ReadonlySet<number> = new Set([FUSE.FORGET, FUSE.BATCH_FORGET, FUSE.INTERRUPT]);

const NOTHING = new Uint8Array(0);

export class FolderServer implements FileServer {
  readonly persist: Persist<ShareState>;
  readonly #share: Share;
  #isInitialized = false;
  /** messages to be answered later */
  #waiting = 0;
  /** counts the guests, so that nobody gets another one's answer */
  #generation = 0;

  constructor(name: string, options: ShareOptions) {
    this.#share = new Share(options);
    this.persist = section({
      name,
      version: 1,
      check: checkShare,
      save: () => {
        this.settle();
        return saveShare(this.#share, this.#isInitialized);
      },
      load: (state) => {
        this.reset();
        this.#isInitialized = state.isInitialized;
        loadShare(this.#share, state);
      },
    });
  }

  /** Inodes that the guest knows now. */
  get nodes(): number {
    return this.#share.nodes.size;
  }

  handle(message: Uint8Array, room: number, reply: (answer: Uint8Array) => void): void {
    if (message.length < IN_HEADER_BYTES) {
      reply(NOTHING);
      return;
    }
    const request = new Request(message);
    const { unique, opcode } = request;
    if (UNANSWERED.has(opcode)) {
      this.#serve(request, OUT_HEADER_BYTES);
      reply(NOTHING);
      return;
    }
    if (room < OUT_HEADER_BYTES) {
      reply(NOTHING); // whoever leaves no room for an answer gets nothing done
      return;
    }
    const outcome = this.#serve(request, room);
    if (typeof outcome === 'number') reply(this.#share.answer.finish(unique, outcome));
    else this.#finishLater(outcome, unique, reply);
  }

  #finishLater(
    work: (done: (errno: number) => void) => void,
    unique: bigint,
    reply: (answer: Uint8Array) => void,
  ): void {
    const generation = this.#generation;
    this.#waiting++;
    work((errno) => {
      this.#waiting--;
      if (generation !== this.#generation) return;
      this.#share.answer.begin(OUT_HEADER_BYTES);
      reply(this.#share.answer.finish(unique, errno));
    });
  }

  /** Returns the error, 0, or how to go on. */
  #serve(request: Request, room: number): number | ((done: (errno: number) => void) => void) {
    const share = this.#share;
    share.answer.begin(room);
    const { opcode } = request;
    const isFirst = opcode === FUSE.INIT;
    if (!this.#isInitialized && !isFirst) return EIO;
    if (share.host.isReadOnly && CHANGES.has(opcode)) return EROFS;
    const operation = operations.get(opcode);
    if (operation === undefined) return opcode === FUSE.INTERRUPT ? 0 : ENOSYS;
    try {
      const outcome = operation(share, request) ?? 0;
      if (isFirst) this.#isInitialized = outcome === 0;
      // An answer that the guest left no room for is none.
      return share.answer.fits || outcome !== 0 ? outcome : EIO;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      return errno;
    } finally {
      share.nodes.endMessage();
    }
  }

  poll(): boolean {
    return this.#waiting > 0 && this.#share.host.poll();
  }

  settle(): void {
    if (this.#waiting > 0) this.#share.host.settle();
  }

  reset(): void {
    this.#generation++;
    this.#isInitialized = false;
    this.#share.files.clear();
    this.#share.nodes.clear();
  }
}
