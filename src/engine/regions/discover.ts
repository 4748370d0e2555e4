import { DECODED, type CodeMode, type Decoder, MAX_INSTRUCTION_BYTES } from '../../x86/decoder.ts';
import { RECORD } from '../record.ts';
import { shapeKeyOf } from '../shape-key.ts';
import { analyse, type RegionBlock, type RegionGraph, type RegionInstruction } from './graph.ts';

const PAGE = 4096;

/** Where the region builder finds code. Offsets count from the region's base page. */
export interface CodeSource {
  readonly mode: CodeMode;
  readonly decoder: Decoder;
  readonly linear: Uint8Array;
  /** linear offset of the frame of page `page` relative to the base page, or -1 */
  frame(page: number): number;
  /** record of the instruction at `at`, guard skipped; 0 when it was never decoded */
  record(at: number): number;
  /** table index of the handler for what the decoder holds */
  handler(): number;
}

export interface RegionLimits {
  readonly instructions: number;
  /** pages before and after the base page that may take part */
  readonly pagesAround: number;
}

/** Collects the code reachable from `start` by direct branches, as far as it was ever decoded. */
export function discover(source: CodeSource, start: number, limits: RegionLimits): RegionGraph | undefined {
  const instructions = new Map<number, RegionInstruction>();
  const leaders = new Set<number>([start]);
  const pages = new Map<number, number>();
  const pending = [start];
  let count = 0;

  const within = (at: number): boolean => {
    const page = Math.floor(at / PAGE);
    return Math.abs(page) <= limits.pagesAround && source.frame(page) >= 0;
  };

  while (pending.length > 0) {
    let at = pending.shift() as number;
    while (count < limits.instructions && !instructions.has(at) && within(at)) {
      const instruction = readInstruction(source, at, pages);
      if (instruction === undefined) break;
      instructions.set(at, instruction);
      count++;
      const attributes = instruction.encoding.attributes;
      if (instruction.bails) break;
      const isCall = instruction.encoding.instruction.name === 'call';
      if (instruction.target !== undefined && !isCall) {
        leaders.add(instruction.target);
        pending.push(instruction.target);
      }
      if (attributes.has('ends')) break;
      at += instruction.length;
      if (instruction.target !== undefined) leaders.add(at);
    }
  }
  if (!instructions.has(start)) return undefined;

  // Blocks: from each leader to the next, or to the end of what was read.
  const blocks = new Map<number, RegionBlock>();
  for (const leader of leaders) {
    if (!instructions.has(leader)) continue;
    blocks.set(leader, {
      id: blocks.size,
      instructions: [],
      taken: undefined,
      next: undefined,
      order: 0,
      predecessors: [],
      dominator: undefined,
      dominated: [],
      isLoop: false,
      isMerge: false,
    });
  }
  for (const [leader, block] of blocks) {
    let at = leader;
    for (;;) {
      const instruction = instructions.get(at);
      if (instruction === undefined) break;
      block.instructions.push(instruction);
      const ends = instruction.bails || instruction.encoding.attributes.has('ends');
      at += instruction.length;
      if (instruction.target !== undefined && !instruction.bails && instruction.encoding.instruction.name !== 'call') {
        block.taken = blocks.get(instruction.target);
      }
      if (ends) break;
      if (blocks.has(at)) {
        block.next = blocks.get(at);
        break;
      }
    }
  }
  const root = blocks.get(start) as RegionBlock;
  const ordered = analyse(root);
  return { root, blocks: ordered, pages, instructionCount: count };
}

function readInstruction(source: CodeSource, at: number, pages: Map<number, number>): RegionInstruction | undefined {
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
    if (next < 0) return undefined;
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
  return {
    at,
    length: decoder.length,
    encoding,
    shapeKey: shapeKeyOf(decoder, source.mode),
    operands: {
      slots: { a: decoder.a, b: decoder.b, c: decoder.c, base: decoder.base, index: decoder.index, segment: decoder.segment },
      scale: decoder.scale,
      displacement: decoder.displacement,
      immediate:
        BigInt.asUintN(32, BigInt(decoder.immediateLow)) | (BigInt.asUintN(32, BigInt(decoder.immediateHigh)) << 32n),
    },
    record: crosses ? record + RECORD.bytes : record,
    handler: source.handler(),
    target: relative ? at + decoder.length + decoder.relative : undefined,
    bails: encoding.attributes.has('cpl0') || decoder.repeat !== 'none' || decoder.operandSize === 16 && relative,
  };
}
