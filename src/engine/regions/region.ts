import type { NamedFunction } from '../handlers/function-module.ts';
import { type CodeRange, keepRegion } from './adoption.ts';
import type { KeptRegion } from './archive.ts';
import type { BatchMember } from './batches.ts';
import type { TablePlace } from './region-table.ts';

/** What a region is made of and for. */
export interface RegionFacts {
  /** of the job that it is made by elsewhere, else 0 */
  readonly job: number;
  readonly index: number;
  /** record whose handler is the region, and what was there before */
  readonly record: number;
  readonly handler: number;
  /** where it begins in its base page */
  readonly offset: number;
  /** profiles of the indirect jumps that leave it, and how often it was made */
  readonly profiles: readonly number[];
  readonly generation: number;
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
  kept: KeptRegion | undefined;
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
