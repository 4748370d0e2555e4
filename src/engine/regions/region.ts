import type { NamedFunction } from '../handlers/function-module.ts';
import { type CodeRange, keepRegion } from './adoption.ts';
import type { KeepableRegion, KeptRegion } from './archive.ts';
import type { BatchMember } from './batches.ts';
import type { CodeSource } from './discover.ts';
import type { RegionDraft } from './graph.ts';
import type { TablePlace } from './region-table.ts';

const PAGE = 4096;

/** What a region is made of and for. */
export interface RegionFacts extends CodeFacts {
  /** of the job that it is made by elsewhere, else 0 */
  readonly job: number;
  readonly index: number;
  /** record whose handler is the region, and what was there before */
  readonly record: number;
  readonly handler: number;
  /** how often it was made */
  readonly generation: number;
}

/** What a region's code says of it. */
export interface CodeFacts {
  /** where it begins in its base page */
  readonly offset: number;
  /** profiles of the indirect jumps that leave it */
  readonly profiles: readonly number[];
  /** pages around the base page that it spans, with their frames */
  readonly pages: ReadonlyMap<number, number>;
  readonly ranges: readonly CodeRange[];
  /** it holds wherever its code lies */
  readonly holdsAnywhere: boolean;
}

/** A region in use, or ordered. */
export class Region implements BatchMember {
  readonly facts: RegionFacts;
  table: TablePlace = { at: 0, bytes: 0 };
  /** the record's handler is the region */
  isInstalled = false;
  body: NamedFunction | undefined;
  /** what to keep of it, if that can be done */
  kept: KeepableRegion | undefined;
  seen = 0;
  /** where it is from, if that is the archive */
  origin: KeptRegion | undefined;
  /** of one from the archive: gives its function back */
  release: (() => void) | undefined;

  constructor(facts: RegionFacts) {
    this.facts = facts;
  }

  get index(): number {
    return this.facts.index;
  }

  /** Notes what is to be kept, before the code it was made from can change. */
  keep(memory: Uint8Array, exits: Int32Array<ArrayBuffer>): void {
    const { holdsAnywhere, pages, offset, ranges, generation } = this.facts;
    if (!holdsAnywhere) return;
    const frame = pages.get(0) as number;
    this.kept = keepRegion(memory, frame, offset, pages.keys(), ranges, exits, generation);
  }
}

export function factsOfDraft(draft: RegionDraft, source: CodeSource): CodeFacts {
  return {
    offset: draft.root.instructions[0]?.at ?? 0,
    profiles: profilesOf(draft),
    pages: draft.pages,
    ranges: rangesOf(draft, source),
    holdsAnywhere: draft.bits === 64 && draft.ripBase === undefined,
  };
}

function profilesOf(graph: RegionDraft): number[] {
  const profiles = new Set<number>();
  for (const block of graph.blocks)
    for (const { profile } of block.instructions) if (profile !== 0) profiles.add(profile);
  return [...profiles];
}

/** The bytes of the region's instructions, merged, by frame. */
function rangesOf(graph: RegionDraft, source: CodeSource): CodeRange[] {
  const ranges: { page: number; frame: number; first: number; end: number }[] = [];
  for (const block of graph.blocks) {
    for (const { at, length } of block.instructions) {
      for (let byte = at; byte < at + length; ) {
        const page = Math.floor(byte / PAGE);
        const end = Math.min(at + length, (page + 1) * PAGE);
        const frame = source.frame(page);
        const first = byte - page * PAGE;
        const last = ranges.at(-1);
        if (last !== undefined && last.page === page && last.end === first)
          last.end = end - page * PAGE;
        else ranges.push({ page, frame, first, end: end - page * PAGE });
        byte = end;
      }
    }
  }
  return ranges;
}
