/**
 * Limits and rights of segments, checked at every access outside 64-bit mode. SDM Vol. 3A, 5.3, 5.4.
 *
 * Each segment register carries two derived numbers, one for reads and one for writes: an access of n
 * bytes at `offset` is allowed when offset + n - 1 < top. A top of 0 means that the rest decides:
 * expand-down segments, null selectors, and what the rights forbid.
 */
import type { Cpu, Helper } from './cpu.ts';
import type { CpuState } from './cpu-state.ts';
import { GP, GuestFault, SSF } from './fault.ts';
import { CS, DS, ES, SEGMENT, SS, STATE, segmentBaseOffset } from './state.ts';

/** Access rights, as `ATTRIBUTE` in system/descriptor.ts. */
const READ_WRITE = 1 << 1;
const EXPAND_DOWN = 1 << 2;
const CODE = 1 << 3;
const ORDINARY = 1 << 4;
const PRESENT = 1 << 7;
const BIG = 1 << 14;

const PROTECTED = 1;
/** The top of a segment of 4 GiB. Its last byte goes the slow way. */
const FLAT_TOP = 0xffff_ffff;

/** Bit of the helper's size argument: the access writes. */
export const WRITES = 1 << 16;

/** Real mode knows limits and no rights. */
function isReal(state: CpuState): boolean {
  return (state.get32(STATE.cr0) & PROTECTED) === 0;
}

/** Recomputes the derived numbers of segment register `index` (ES to GS). */
export function deriveTops(state: CpuState, index: number): void {
  const at = STATE.segments + index * SEGMENT.bytes;
  const attributes = state.get32(at + SEGMENT.attributes);
  const limit = state.get32(at + SEGMENT.limit);
  const top = Math.min(limit + 1, FLAT_TOP);
  let read = top;
  let write = top;
  if (!isReal(state)) {
    const usable = (attributes & (PRESENT | ORDINARY)) === (PRESENT | ORDINARY);
    const code = (attributes & CODE) !== 0;
    const upward = code || (attributes & EXPAND_DOWN) === 0;
    const mayBeMore = (attributes & READ_WRITE) !== 0;
    if (!usable || !upward || (code && !mayBeMore)) read = 0;
    if (!usable || !upward || code || !mayBeMore) write = 0;
  }
  state.set32(at + SEGMENT.readTop, read);
  state.set32(at + SEGMENT.writeTop, write);
}

/** Recomputes the derived numbers of all segment registers: after a change of CR0.PE, or a restore. */
export function deriveAllTops(state: CpuState): void {
  for (let index = 0; index < 6; index++) deriveTops(state, index);
}

/**
 * True when ES, SS and DS are writable and CS executable over 4 GiB from address 0 each, so that in code
 * which names no other segment an offset is a linear address and needs no checks.
 */
export function segmentsAreFlat(state: CpuState): boolean {
  const top = (index: number): number =>
    state.get32(STATE.segments + index * SEGMENT.bytes + SEGMENT.writeTop);
  return (
    top(DS) === FLAT_TOP &&
    top(SS) === FLAT_TOP &&
    top(ES) === FLAT_TOP &&
    state.segmentLimit(CS) === FLAT_TOP &&
    [ES, CS, SS, DS].every((index) => state.get32(segmentBaseOffset(index)) === 0) &&
    !isReal(state)
  );
}

/** First and last valid offset of a segment. */
function rangeOf(attributes: number, limit: number, real: boolean): readonly [number, number] {
  if (real || (attributes & (CODE | EXPAND_DOWN)) !== EXPAND_DOWN) return [0, limit];
  return [limit + 1, (attributes & BIG) !== 0 ? 0xffff_ffff : 0xffff];
}

/** Whether `bytes` at `offset` of a segment with these attributes and limit may be accessed. */
export function segmentAllows(
  attributes: number,
  limit: number,
  real: boolean,
  offset: number,
  bytes: number,
  writes: boolean,
): boolean {
  if (!real) {
    if ((attributes & (PRESENT | ORDINARY)) !== (PRESENT | ORDINARY)) return false;
    const code = (attributes & CODE) !== 0;
    const readWrite = (attributes & READ_WRITE) !== 0;
    if (writes ? code || !readWrite : code && !readWrite) return false;
  }
  const [first, last] = rangeOf(attributes, limit, real);
  return offset >= first && offset + bytes - 1 <= last;
}

/** Throws #GP(0), or #SS(0) for the stack segment, unless the access lies in the segment and it allows it. */
export function checkSegmentAccess(
  cpu: Cpu,
  index: number,
  offset: number,
  bytes: number,
  writes: boolean,
): void {
  const { state } = cpu;
  const attributes = state.segmentAttributes(index);
  const limit = state.segmentLimit(index);
  if (segmentAllows(attributes, limit, isReal(state), offset >>> 0, bytes, writes)) return;
  throw new GuestFault(index === SS ? SSF : GP);
}

/** The segment register whose base lies at state offset `offset`. */
function segmentAt(offset: number): number {
  return (offset - segmentBaseOffset(0)) / SEGMENT.bytes;
}

export const segmentLimitHelpers: Record<string, Helper> = {
  /** (state offset of the segment's base, offset, bytes and WRITES): what the derived numbers leave open. */
  checkSegment: {
    params: ['i32', 'i32', 'i32'],
    run: (cpu, base: number, offset: number, size: number) => {
      checkSegmentAccess(cpu, segmentAt(base), offset, size & 0xffff, (size & WRITES) !== 0);
    },
  },
};
