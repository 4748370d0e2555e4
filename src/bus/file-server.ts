import type { Persistent } from '../state/mod.ts';

/**
 * What answers the FUSE messages of one shared folder: the contract between a file system device and the files behind
 * it. Messages and answers are those of Linux's `fuse.h`, headers included.
 */
export interface FileServer extends Persistent {
  /**
   * Serves one message, whose bytes are lent for the time of the call. `reply` is called once, now or in a later
   * `poll`, with an answer of at most `room` bytes that is lent likewise; it is empty when there is none to give.
   */
  handle(message: Uint8Array, room: number, reply: (answer: Uint8Array) => void): void;
  /** Gives the answers that have become ready. True when there were some. */
  poll(): boolean;
  /** Waits until everything under way is answered. */
  settle(): void;
  /** The guest that used it is gone: closes all files and forgets what it knew. */
  reset(): void;
}

/** The longest message that a file server takes: a write of 1 MiB with its headers. */
export const MAX_FILE_MESSAGE_BYTES = 2 ** 20 + 4096;
