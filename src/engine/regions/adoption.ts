/** What it takes to use a region of the archive in this machine, and to keep one of this machine's. */
import type { CodeCache } from '../code-cache.ts';
import { FIRST_HANDLER } from '../handlers/runtime.ts';
import { RECORD } from '../record.ts';
import { headOf, type KeepableRegion, type KeptRegion } from './archive.ts';
import type { CodeSource } from './discover.ts';
import type { JumpProfiles } from './profile.ts';
import type { CodeFacts, RegionFacts } from './region.ts';
import { profiledJumps, type RegionPlaces } from './region-table.ts';

const PAGE = 4096;

/** Code of a region in this machine. */
export interface CodeRange {
  /** relative to the base page */
  readonly page: number;
  readonly frame: number;
  /** bytes of the frame: [first, end) */
  readonly first: number;
  readonly end: number;
}

/** What to keep of a region: its code is what lies at `ranges` of `memory` now. */
export function keepRegion(
  memory: Uint8Array,
  frame: number,
  offset: number,
  pages: Iterable<number>,
  ranges: readonly CodeRange[],
  exits: Int32Array<ArrayBuffer>,
  generation: number,
): KeepableRegion {
  return {
    offset,
    head: headOf(memory, frame, offset),
    pages: [...pages].filter((page) => page !== 0),
    code: ranges.map(({ page, frame, first, end }) => ({
      page,
      first,
      bytes: new Uint8Array(memory.subarray(frame + first, frame + end)),
    })),
    exits,
    generation,
  };
}

/** Where the code of `kept` lies around the base page of `source`; undefined unless all of it is there. */
export function findCode(kept: KeptRegion, source: CodeSource): CodeRange[] | undefined {
  for (const page of kept.pages) if (source.anyFrame(page) < 0) return undefined;
  const ranges: CodeRange[] = [];
  for (const { page, first, bytes } of kept.code) {
    const frame = source.anyFrame(page);
    for (let i = 0; i < bytes.length; i++)
      if (source.linear[frame + first + i] !== bytes[i]) return undefined;
    ranges.push({ page, frame, first, end: first + bytes.length });
  }
  return ranges;
}

/** Where things are in this machine for `kept`, whose code was found around the base page of `source`. */
export function placesOfKept(
  kept: KeptRegion,
  source: CodeSource,
  rootHandler: number,
  cache: CodeCache,
  words: Int32Array,
  profiles: JumpProfiles,
): RegionPlaces {
  return {
    rootHandler,
    neighbours: kept.pages.map((page) => [page, source.anyFrame(page)]),
    record: source.record,
    instruction(at) {
      const found = source.record(at);
      if (found === 0) return undefined;
      const record = cache.guardedFrame(found) >= 0 ? found + RECORD.bytes : found;
      const handler = cache.ownHandler(words[record >> 2] as number);
      return handler < FIRST_HANDLER ? undefined : { record, handler };
    },
    profile: (at) => profileAt(source, at) || profiles.spare,
  };
}

export function factsOfKept(
  kept: KeptRegion,
  ranges: readonly CodeRange[],
  source: CodeSource,
): CodeFacts & Pick<RegionFacts, 'generation'> {
  return {
    offset: kept.offset,
    generation: kept.generation,
    profiles: profiledJumps(kept.exits)
      .map((at) => profileAt(source, at))
      .filter((profile) => profile !== 0),
    pages: new Map([0, ...kept.pages].map((page) => [page, source.anyFrame(page)])),
    ranges,
    holdsAnywhere: true,
  };
}

function profileAt(source: CodeSource, at: number): number {
  return source.anyFrame(Math.floor(at / PAGE)) < 0 ? 0 : source.profile(at);
}
