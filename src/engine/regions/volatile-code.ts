/** Heat and changes of code are remembered by pieces of this size: a region covers about as much. */
export const CHUNK_BITS = 9;
/** What has changed this often is left to its own regions. */
const OFTEN = 2;
/** Its heat is asked for so many times over, at most. */
const MOST_PATIENCE = 4 ** 6;

/**
 * Code that the guest writes anew under regions made from it, as compilers in a guest and patching kernels do. A
 * region is lost as a whole: so code that changes often is not taken into the regions of its callers, and must be
 * used more, each time it has changed, before it is translated again.
 */
export class VolatileCode {
  /** by piece: how often regions were lost to writes there */
  readonly #changes = new Map<number, number>();

  /** A write at `offset` of `frame` has cost regions. */
  changed(frame: number, offset: number): void {
    const chunk = chunkOf(frame, offset);
    this.#changes.set(chunk, (this.#changes.get(chunk) ?? 0) + 1);
  }

  /** The code there belongs in no region but its own. */
  isVolatile(frame: number, offset: number): boolean {
    return (this.#changes.get(chunkOf(frame, offset)) ?? 0) >= OFTEN;
  }

  /** How many times the usual heat is wanted before the code there is translated. */
  patience(frame: number, offset: number): number {
    return Math.min(MOST_PATIENCE, 4 ** (this.#changes.get(chunkOf(frame, offset)) ?? 0));
  }

  clear(): void {
    this.#changes.clear();
  }
}

function chunkOf(frame: number, offset: number): number {
  return Math.floor((frame + offset) / 2 ** CHUNK_BITS);
}
