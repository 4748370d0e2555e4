import type { FramePool } from '../../memory/mod.ts';

/** Targets remembered of one indirect jump, a power of two. */
export const PROFILE_TARGETS = 16;
/** Bytes of one profile: u32 count of exits, then a ring of targets as i32 offsets from the base page. */
export const PROFILE = { count: 0, ring: 4, bytes: 4 + PROFILE_TARGETS * 4 } as const;

/** ... and one for the jumps that there is no room for */
const PROFILES = 4096;

/**
 * Where indirect jumps went when they left a region, written by the regions themselves. A region that
 * leaves this way often is made again with the targets inside.
 */
export class JumpProfiles {
  readonly #base: number;
  readonly #words: Int32Array;
  readonly #byInstruction = new Map<string, number>();
  #next = 0;

  static readonly bytes = (PROFILES + 1) * PROFILE.bytes;

  constructor(pool: FramePool) {
    this.#base = pool.reserve(JumpProfiles.bytes);
    this.#words = pool.words;
  }

  /** Linear offset of the profile of the jump in `frame` at `inPage`, for regions based `base` bytes before; 0 when there is no room. */
  of(frame: number, inPage: number, base: number): number {
    const key = `${frame}:${inPage}:${base}`;
    let profile = this.#byInstruction.get(key);
    if (profile === undefined) {
      if (this.#next === PROFILES) return 0;
      profile = this.#base + this.#next++ * PROFILE.bytes;
      this.#byInstruction.set(key, profile);
    }
    return profile;
  }

  /** A profile that nobody looks at. */
  get spare(): number {
    return this.#base + PROFILES * PROFILE.bytes;
  }

  /** How often the jump left its region. */
  count(profile: number): number {
    return profile === 0 ? 0 : (this.#words[profile >> 2] as number) >>> 0;
  }

  /** The distinct targets remembered. */
  targets(profile: number): number[] {
    const known = Math.min(this.count(profile), PROFILE_TARGETS);
    const at = (profile + PROFILE.ring) >> 2;
    return [...new Set(this.#words.subarray(at, at + known))];
  }

  clear(): void {
    this.#words.fill(0, this.#base >> 2, (this.#base + JumpProfiles.bytes) >> 2);
    this.#byInstruction.clear();
    this.#next = 0;
  }
}
