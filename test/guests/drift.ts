/** Compares a guest's clock with the host's. */
import type { Session } from './session.ts';

/** Both clocks at one moment, in seconds. */
interface Sample {
  readonly guest: number;
  readonly host: number;
  /** how long asking took: the moment is known no better */
  readonly uncertainty: number;
}

/** How many times to ask; the quickest answer counts. */
const TRIES = 5;

/** How far a guest's clock strays from the host's between two moments. */
export class Drift {
  #first: Sample;

  private constructor(first: Sample) {
    this.#first = first;
  }

  /** Begins to measure, with a session at a shell's prompt. */
  static async begin(session: Session): Promise<Drift> {
    return new Drift(await sample(session));
  }

  /** `parts`: by which part of the time gone by the guest's clock is ahead; 0.01 is one per cent. */
  async end(session: Session): Promise<{ seconds: number; parts: number; uncertainty: number }> {
    const last = await sample(session);
    const seconds = last.host - this.#first.host;
    const ahead = last.guest - this.#first.guest - seconds;
    const uncertainty = (last.uncertainty + this.#first.uncertainty) / seconds;
    return { seconds, parts: ahead / seconds, uncertainty };
  }
}

async function sample(session: Session): Promise<Sample> {
  let best: Sample | undefined;
  for (let count = 0; count < TRIES; count++) {
    session.send('cat /proc/uptime');
    await session.expect(/@begin\d+@/);
    const before = performance.now();
    const [, guest] = await session.expect(/([\d.]+) [\d.]+\r*\n/);
    await session.expect(/@end\d+@/);
    const after = performance.now();
    const uncertainty = (after - before) / 1000;
    if (best === undefined || uncertainty < best.uncertainty) {
      best = { guest: Number(guest), host: (before + after) / 2000, uncertainty };
    }
  }
  return best as Sample;
}
