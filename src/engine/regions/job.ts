/** A draft as numbers, for the thread that translates it. */
import type { Encoding } from '../../x86/mod.ts';
import { emptyBlock, type RegionBlock, type RegionDraft, type RegionInstruction } from './graph.ts';

const KINDS = ['branch', 'call', 'return', 'other'] as const;
/** In place of the target or the block that there is none of. */
const NONE = -(2 ** 40);

/** A region to be translated. */
export interface RegionJob {
  readonly id: number;
  /** table index that the region will have */
  readonly index: number;
  readonly bits: 16 | 32 | 64;
  readonly ripBase: number | undefined;
  /** page numbers and frames, in turn */
  readonly pages: readonly (readonly [page: number, frame: number])[];
  readonly instructionCount: number;
  /** instructions and blocks, as `packJob` writes them */
  readonly numbers: Float64Array<ArrayBuffer>;
}

/** Growing list of numbers: some of them do not fit 32 bits. */
class NumberWriter {
  numbers = new Float64Array(4096);
  length = 0;

  put(...values: number[]): void {
    if (this.length + values.length > this.numbers.length) {
      const grown = new Float64Array(2 * this.numbers.length);
      grown.set(this.numbers);
      this.numbers = grown;
    }
    for (const value of values) this.numbers[this.length++] = value;
  }
}

/**
 * Writes `draft` down. `recordAt` finds the record at an offset, 0 when there is none: those behind instructions and
 * at their targets go along, for the region may leave there.
 */
export function packJob(
  draft: RegionDraft,
  identity: Pick<RegionJob, 'id' | 'index'>,
  recordAt: (at: number) => number,
): RegionJob {
  const { blocks, root, bits, ripBase, pages, instructionCount } = draft;
  const ordinals = new Map<RegionInstruction, number>();
  for (const block of blocks) {
    for (const instruction of block.instructions) {
      if (!ordinals.has(instruction)) ordinals.set(instruction, ordinals.size);
    }
  }
  const places = new Map(blocks.map((block, place) => [block, place]));
  const placeOf = (block: RegionBlock | undefined): number =>
    block === undefined ? NONE : (places.get(block) as number);

  const out = new NumberWriter();
  out.put(ordinals.size, blocks.length, placeOf(root));
  for (const each of ordinals.keys()) {
    const { slots, scale, displacement, immediate } = each.operands;
    const next = each.at + each.length;
    out.put(each.at, each.length, each.encoding.id, each.shapeKey);
    out.put(slots.a, slots.b, slots.c, slots.base, slots.index, slots.segment);
    out.put(scale, displacement);
    out.put(Number(BigInt.asIntN(32, immediate)), Number(BigInt.asIntN(32, immediate >> 32n)));
    out.put(each.record, each.handler, KINDS.indexOf(each.kind), each.target ?? NONE, each.profile);
    out.put(
      each.bails ? 1 : 0,
      recordAt(next),
      each.target === undefined ? 0 : recordAt(each.target),
    );
  }
  for (const { instructions, taken, next, targets } of blocks) {
    out.put(placeOf(taken), placeOf(next), targets.length, ...targets.map(placeOf));
    out.put(instructions.length);
    for (const instruction of instructions) out.put(ordinals.get(instruction) as number);
  }
  const numbers = out.numbers.slice(0, out.length);
  return { ...identity, bits, ripBase, pages: [...pages], instructionCount, numbers };
}

/** What `packJob` has written: the draft, and the records that were found. */
export function unpackJob(
  { numbers, bits, ripBase, pages, instructionCount }: RegionJob,
  encodings: readonly Encoding[],
): { draft: RegionDraft; recordAt: (at: number) => number } {
  let position = 0;
  const take = (): number => numbers[position++] as number;
  const optional = (value: number): number | undefined => (value === NONE ? undefined : value);
  const [instructionTotal, blockTotal, root] = [take(), take(), take()];
  const records = new Map<number, number>();
  const instructions: RegionInstruction[] = [];
  for (let i = 0; i < instructionTotal; i++) {
    const [at, length, encoding, shapeKey] = [take(), take(), take(), take()];
    const slots = {
      ...{ a: take(), b: take(), c: take() },
      ...{ base: take(), index: take(), segment: take() },
    };
    const [scale, displacement] = [take(), take()];
    const immediate = BigInt(take() >>> 0) | (BigInt(take() >>> 0) << 32n);
    const [record, handler] = [take(), take()];
    const kind = KINDS[take()] as RegionInstruction['kind'];
    const [target, profile, bails] = [optional(take()), take(), take() === 1];
    const [recordBehind, recordAtTarget] = [take(), take()];
    if (recordBehind !== 0) records.set(at + length, recordBehind);
    if (recordAtTarget !== 0 && target !== undefined) records.set(target, recordAtTarget);
    instructions.push({
      ...{ at, length, encoding: encodings[encoding] as Encoding, shapeKey },
      operands: { slots, scale, displacement, immediate },
      ...{ record, handler, kind, target, profile, bails },
    });
  }
  const blocks = Array.from({ length: blockTotal }, (_, id) => emptyBlock(id));
  const blockAt = (place: number): RegionBlock | undefined =>
    place === NONE ? undefined : blocks[place];
  for (const block of blocks) {
    block.taken = blockAt(take());
    block.next = blockAt(take());
    for (let left = take(); left > 0; left--) block.targets.push(blocks[take()] as RegionBlock);
    for (let left = take(); left > 0; left--) {
      block.instructions.push(instructions[take()] as RegionInstruction);
    }
  }
  const draft: RegionDraft = {
    root: blocks[root] as RegionBlock,
    ...{ blocks, bits, ripBase, pages: new Map(pages), instructionCount },
  };
  return { draft, recordAt: (at) => records.get(at) ?? 0 };
}
