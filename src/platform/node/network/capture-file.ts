import { closeSync, openSync, writeSync } from 'node:fs';
import type { FrameOffload } from '../../../bus/mod.ts';
import { pcapHeader, pcapPacket } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { reasonOf } from '../disk/reason.ts';

/** A file of `--net-dump`. Every frame is written at once, so that nothing is lost when the machine ends. */
export class CaptureFile {
  #fd: number | undefined;

  /** Throws a `VivariumError` when the file cannot be written. */
  constructor(path: string) {
    try {
      this.#fd = openSync(path, 'w');
      writeSync(this.#fd, pcapHeader());
    } catch (error) {
      throw new VivariumError(
        'capture-unwritable',
        `cannot write the capture file ${path}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }

  /** Adds a frame. A file that can no longer be written ends here; the network goes on. */
  add(frame: Uint8Array, offload: FrameOffload): void {
    if (this.#fd === undefined) return;
    const now = (performance.timeOrigin + performance.now()) * 1e6;
    try {
      writeSync(this.#fd, pcapPacket(frame, offload, now));
    } catch {
      closeSync(this.#fd);
      this.#fd = undefined;
    }
  }
}
