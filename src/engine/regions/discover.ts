import {
  type CodeMode,
  DECODED,
  type Decoder,
  type Encoding,
  MAX_INSTRUCTION_BYTES,
} from '../../x86/mod.ts';
import { RECORD } from '../record.ts';
import { shapeKeyOf } from '../shape-key.ts';
import { TLB } from '../tlb-layout.ts';
import { emptyBlock, type RegionBlock, type RegionDraft, type RegionInstruction } from './graph.ts';

const PAGE = 4096;

/** Where the region builder finds code. Offsets count from the region's base page. */
export interface CodeSource {
  /** linear address of the base page */
  readonly base: bigint;
  readonly mode: CodeMode;
  /**
   * RIP of byte 0 of the base page, where the code found holds for this one alone: where branches wrap around
   * depends on it in 16-bit code, and a code segment that is checked ends somewhere
   */
  readonly ripBase: number | undefined;
  readonly decoder: Decoder;
  readonly linear: Uint8Array;
  /** linear offset of the frame of page `page` relative to the base page, or -1 when nothing of it was decoded */
  frame(page: number): number;
  /** the same, whether anything was decoded or not; -1 when no code can be fetched there */
  anyFrame(page: number): number;
  /** record of the instruction at `at`, guard skipped; 0 when it was never decoded */
  record(at: number): number;
  /** table index of the handler for what the decoder holds */
  handler(): number;
  /** profile of the indirect jump at `at`, and the targets it names */
  profile(at: number): number;
  targets(profile: number): readonly number[];
}

export interface RegionLimits {
  readonly instructions: number;
  /** pages that may take part: each but the first is checked when the region is entered, in 64-bit code once an epoch */
  readonly pages: number;
  /** calls inside calls that are taken into the region */
  readonly callDepth: number;
}

/**
 * A call taken into the region: its callee's blocks exist once for each such call, so that its return can
 * go straight on behind the call. The guest's stack is used as always; the return compares the address it
 * pops with the expected one and leaves when they differ.
 */
interface CallContext {
  readonly id: number;
  readonly depth: number;
  readonly parent: CallContext | undefined;
  /** where the return goes, in the parent's context */
  readonly returnAt: number;
}

interface Place {
  readonly at: number;
  readonly context: CallContext;
}

/** An indirect call that goes to more places than this is not followed. */
const MAX_CALLEES = 2;
/** Code of a region lies so close to its base page; targets of its branches may lie twice as far away. */
const REACH = 2 ** 31;
/** Numbers of places, in each context: more than there are targets. */
const CONTEXT_SPAN = 2 ** 34;

function keyOf(at: number, context: CallContext): number {
  return context.id * CONTEXT_SPAN + at + CONTEXT_SPAN / 2;
}

/**
 * Collects the code reachable from `start` by direct branches and calls, as far as it was ever decoded, and not
 * left out.
 */
export function discover(
  source: CodeSource,
  start: number,
  limits: RegionLimits,
  isLeftOut: (frame: number, inPage: number) => boolean = () => false,
): RegionDraft | undefined {
  const top: CallContext = { id: 0, depth: 0, parent: undefined, returnAt: 0 };
  const read = new Map<number, RegionInstruction | undefined>();
  const pages = new Map<number, number>();
  const placed = new Map<number, RegionInstruction>();
  const leaders = new Map<number, Place>([[keyOf(start, top), { at: start, context: top }]]);
  const callees = new Map<string, CallContext>();
  // Nearer code first: callees wait until their callers are complete.
  const pending: Place[][] = [[{ at: start, context: top }]];
  let contexts = 1;
  let count = 0;

  const within = (at: number): boolean =>
    Math.abs(at) < REACH &&
    (source.ripBase === undefined || source.ripBase + at >= 0) &&
    mayTake(Math.floor(at / PAGE), pages, limits.pages) &&
    source.frame(Math.floor(at / PAGE)) >= 0;
  const isTaken = (at: number): boolean => {
    const page = Math.floor(at / PAGE);
    return at === start || !isLeftOut(source.frame(page), at - page * PAGE);
  };
  const instructionAt = (at: number): RegionInstruction | undefined => {
    if (!read.has(at))
      read.set(at, within(at) && isTaken(at) ? readInstruction(source, at, pages) : undefined);
    return read.get(at);
  };
  const lead = (at: number, context: CallContext): void => {
    const key = keyOf(at, context);
    if (leaders.has(key)) return;
    leaders.set(key, { at, context });
    const level = pending[context.depth] ?? [];
    pending[context.depth] = level;
    level.push({ at, context });
  };
  const take = (): Place | undefined => {
    for (const level of pending) {
      const place = level?.shift();
      if (place !== undefined) return place;
    }
    return undefined;
  };

  for (let place = take(); place !== undefined && count < limits.instructions; place = take()) {
    const { context } = place;
    let { at } = place;
    while (count < limits.instructions && !placed.has(keyOf(at, context))) {
      const instruction = instructionAt(at);
      if (instruction === undefined) break;
      placed.set(keyOf(at, context), instruction);
      count++;
      if (instruction.bails) break;
      const next = at + instruction.length;
      const { target, kind } = instruction;
      if (kind === 'call' && context.depth < limits.callDepth) {
        for (const callee of calleesOf(instruction, source)) {
          if (instructionAt(callee) === undefined) continue;
          const inner: CallContext = {
            id: contexts++,
            depth: context.depth + 1,
            parent: context,
            returnAt: next,
          };
          callees.set(calleeKey(at, context, callee), inner);
          lead(callee, inner);
        }
      } else if (kind === 'return' && context.parent !== undefined)
        lead(context.returnAt, context.parent);
      else if (kind === 'branch' && target !== undefined) lead(target, context);
      else if (kind === 'other' && instruction.profile !== 0) {
        for (const seen of source.targets(instruction.profile)) lead(seen, context);
      }
      if (endsBlock(instruction.encoding)) break;
      at = next;
      if (target !== undefined) lead(at, context);
    }
  }
  if (!placed.has(keyOf(start, top))) return undefined;
  const blocks = makeBlocks(leaders, placed, callees, source);
  const root = blocks.get(keyOf(start, top)) as RegionBlock;
  const { ripBase, mode } = source;
  const all = [...blocks.values()];
  return { root, blocks: all, bits: mode.bits, ripBase, pages, instructionCount: count };
}

/** Where a call goes: its target, or the places an indirect one was seen to go to, few of them. */
function calleesOf(instruction: RegionInstruction, source: CodeSource): readonly number[] {
  if (instruction.target !== undefined) return [instruction.target];
  if (instruction.profile === 0) return [];
  const seen = source.targets(instruction.profile);
  return seen.length <= MAX_CALLEES ? seen : [];
}

function calleeKey(at: number, context: CallContext, callee: number): string {
  return `${keyOf(at, context)}>${callee}`;
}

/** Blocks: from each leader to the next, or to the end of what was read. */
function makeBlocks(
  leaders: ReadonlyMap<number, Place>,
  placed: ReadonlyMap<number, RegionInstruction>,
  callees: ReadonlyMap<string, CallContext>,
  source: CodeSource,
): Map<number, RegionBlock> {
  const blocks = new Map<number, RegionBlock>();
  for (const key of leaders.keys()) if (placed.has(key)) blocks.set(key, emptyBlock(blocks.size));
  for (const [key, block] of blocks) {
    const { context, at: first } = leaders.get(key) as Place;
    let at = first;
    for (;;) {
      const instruction = placed.get(keyOf(at, context));
      if (instruction === undefined) break;
      block.instructions.push(instruction);
      if (!instruction.bails) {
        const { target, kind } = instruction;
        if (kind === 'branch' && target !== undefined)
          block.taken = blocks.get(keyOf(target, context));
        else if (kind === 'call') {
          for (const callee of calleesOf(instruction, source)) {
            const inner = callees.get(calleeKey(at, context, callee));
            const found = inner === undefined ? undefined : blocks.get(keyOf(callee, inner));
            if (found === undefined) continue;
            if (target !== undefined) block.taken = found;
            else block.targets.push(found);
          }
        } else if (kind === 'return' && context.parent !== undefined) {
          block.taken = blocks.get(keyOf(context.returnAt, context.parent));
        } else if (instruction.profile !== 0) {
          for (const seen of source.targets(instruction.profile)) {
            const found = blocks.get(keyOf(seen, context));
            if (found !== undefined) block.targets.push(found);
          }
        }
      }
      at += instruction.length;
      if (instruction.bails || endsBlock(instruction.encoding)) break;
      const next = blocks.get(keyOf(at, context));
      if (next !== undefined) {
        block.next = next;
        break;
      }
    }
  }
  return blocks;
}

/** Nothing is known of what runs behind it, or it must be looked up anew. */
function endsBlock({ attributes }: Encoding): boolean {
  return attributes.has('ends') || attributes.has('serializes');
}

/** True when `page` takes part or may begin to: pages that share a place in the execute TLB would evict each other. */
function mayTake(page: number, pages: ReadonlyMap<number, number>, most: number): boolean {
  if (pages.has(page)) return true;
  if (pages.size >= most) return false;
  for (const other of pages.keys()) if ((page - other) % TLB.executeEntries === 0) return false;
  return true;
}

function readInstruction(
  source: CodeSource,
  at: number,
  pages: Map<number, number>,
): RegionInstruction | undefined {
  const record = source.record(at);
  if (record === 0) return undefined;
  const page = Math.floor(at / PAGE);
  const inPage = at - page * PAGE;
  const frame = source.frame(page);
  const decoder = source.decoder;
  let status = decoder.decode(source.linear, frame + inPage, frame + PAGE, source.mode);
  const first = Math.min(MAX_INSTRUCTION_BYTES, PAGE - inPage);
  let crosses = false;
  if (status !== DECODED && first < MAX_INSTRUCTION_BYTES) {
    const next = source.frame(page + 1);
    // One page more than the limit may hold the tail of an instruction.
    if (next < 0 || !mayTake(page + 1, pages, Number.POSITIVE_INFINITY)) return undefined;
    const window = new Uint8Array(2 * MAX_INSTRUCTION_BYTES);
    window.set(source.linear.subarray(frame + inPage, frame + PAGE));
    window.set(source.linear.subarray(next, next + MAX_INSTRUCTION_BYTES), first);
    status = decoder.decode(window, 0, first + MAX_INSTRUCTION_BYTES, source.mode);
    crosses = true;
    if (status === DECODED) pages.set(page + 1, next);
  }
  if (status !== DECODED) return undefined;
  decoder.rebase(inPage);
  pages.set(page, frame);
  const { encoding } = decoder;
  const relative = encoding.immediate === 'relb' || encoding.immediate === 'relz';
  const name = encoding.instruction.name;
  const isIndirectJump = (name === 'jmp' || name === 'call') && !relative;
  return {
    profile: isIndirectJump ? source.profile(at) : 0,
    kind: name === 'call' ? 'call' : name === 'ret' ? 'return' : relative ? 'branch' : 'other',
    at,
    length: decoder.length,
    encoding,
    shapeKey: shapeKeyOf(decoder, source.mode),
    operands: {
      slots: {
        a: decoder.a,
        b: decoder.b,
        c: decoder.c,
        base: decoder.base,
        index: decoder.index,
        segment: decoder.segment,
      },
      scale: decoder.scale,
      displacement: decoder.displacement,
      immediate:
        BigInt.asUintN(32, BigInt(decoder.immediateLow)) |
        (BigInt.asUintN(32, BigInt(decoder.immediateHigh)) << 32n),
    },
    record: crosses ? record + RECORD.bytes : record,
    handler: source.handler(),
    target: relative ? targetOf(source, at) : undefined,
    bails: encoding.attributes.has('shadow') || cutsTarget(source, relative),
  };
}

/** Offset of the relative target of the branch at `at`, which the decoder holds. */
function targetOf({ decoder, ripBase }: CodeSource, at: number): number {
  const target = at + decoder.length + decoder.relative;
  if (ripBase === undefined) return target;
  const rip = ripBase + target;
  return (decoder.operandSize === 16 ? rip & 0xffff : rip >>> 0) - ripBase;
}

/** The branch that the decoder holds goes to a RIP cut to 16 bits, from a RIP that is not known here. */
function cutsTarget({ decoder, mode, ripBase }: CodeSource, relative: boolean): boolean {
  if (decoder.operandSize !== 16 || ripBase !== undefined) return false;
  return relative || (mode.bits === 64 && decoder.encoding.attributes.has('ends'));
}
