/** Rounds of random code on a thread of their own, so that a hang is seen. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Cases of a round: each seed gives this many. */
export const CASES = 90;
/** A round takes seconds; one that takes so long never ends. */
const HANG_MS = 300_000;

/** What the thread answers. */
export interface RoundAnswer {
  readonly seed: number;
  readonly failures: readonly string[];
}

export class CodeRounds {
  readonly #worker = new Worker(new URL('./rounds-worker.ts', import.meta.url));

  /** Runs the cases of `seed`. Throws with what differs, with what was thrown, or that nothing ends. */
  async run(seed: number): Promise<number> {
    this.#worker.postMessage(seed);
    const hang = AbortSignal.timeout(HANG_MS);
    let answer: RoundAnswer;
    try {
      [answer] = (await once(this.#worker, 'message', { signal: hang })) as [RoundAnswer];
    } catch (error) {
      throw hang.aborted ? new Error(`a case of seed ${seed} does not end`) : error;
    }
    if (answer.failures.length > 0) throw new Error(answer.failures.join('\n'));
    return CASES;
  }

  close(): void {
    void this.#worker.terminate();
  }
}
