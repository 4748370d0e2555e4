import type { Node } from '../../ir/mod.ts';
import { type FunctionWriter, I32, I64 } from '../../wasm/mod.ts';
import { RSP, STATE } from '../../x86/mod.ts';
import type { KnownPage } from '../emit/body-emitter.ts';
import { TLB_BASE } from '../handlers/handler-emitter.ts';
import { TLB } from '../tlb-layout.ts';
import type { RegionGraph } from './graph.ts';

/** A region with fewer accesses to the stack, or without a loop, finds each for itself. */
const LEAST_ACCESSES = 4;

/**
 * The page that a region's stack lies in, looked up once: where it is entered, and wherever RSP moves farther than
 * by a constant, or what the TLB says may have changed. Accesses relative to RSP compare with it; those beyond look
 * into the TLB like others.
 */
export class StackPage implements KnownPage {
  readonly tag: number;
  readonly addend: number;
  readonly #f: FunctionWriter;
  readonly #entry: number;
  /** something is accessed by it */
  isUsed = false;

  /** otherwise its locals do not exist */
  readonly isWorthwhile: boolean;

  constructor(f: FunctionWriter, graph: RegionGraph) {
    this.#f = f;
    this.isWorthwhile =
      graph.bits === 64 && hasLoop(graph) && countAccesses(graph) >= LEAST_ACCESSES;
    this.tag = this.isWorthwhile ? f.local(I64) : -1;
    this.addend = this.isWorthwhile ? f.local(I32) : -1;
    this.#entry = this.isWorthwhile ? f.local(I32) : -1;
  }

  /**
   * Looks the page up. When it may not be written, the tag is one that no access compares equal to: until the next look RSP
   * moves by constants of 32 bits, far too seldom to get from one half of 2^64 bytes to the other.
   */
  find(rsp: number): void {
    if (!this.isUsed) return;
    const f = this.#f;
    // What is pushed next lies below.
    const top = (): void => {
      f.get(rsp).i64Const(8n).op(0x7d); // sub
    };
    top();
    f.wrap().i32Const(7).op(0x76); // >>> (12 - log2 32)
    f.i32Const((TLB.entries - 1) * TLB.entryBytes).i32And();
    f.get(TLB_BASE).i32Add().tee(this.#entry).i32Load(TLB.addend).set(this.addend);
    f.get(this.#entry).i64Load(TLB.write);
    f.get(rsp)
      .i64Const(1n << 63n)
      .op(0x85); // xor
    f.get(this.#entry).i64Load(TLB.write);
    top();
    f.op(0x85).i64Const(0xfffn).op(0x58); // xor, le_u
    f.select().set(this.tag);
  }
}

function hasLoop({ blocks }: RegionGraph): boolean {
  return blocks.some(({ isLoop }) => isLoop);
}

/** Instructions that access the stack. */
function countAccesses({ blocks }: RegionGraph): number {
  let count = 0;
  for (const { instructions } of blocks) {
    for (const { encoding, operands } of instructions) {
      if (encoding.attributes.has('d64') || operands.slots.base === STATE.gpr + RSP * 8) count++;
    }
  }
  return count;
}

/** Whether `node` is RSP and constants of 32 bits. */
export function isNearRsp(node: Node): boolean {
  let at = node;
  while (at.op === 'i64.add' || at.op === 'i64.sub') {
    const [left, right] = at.args as readonly [Node, Node];
    if (right.op !== 'const') return false;
    const constant = BigInt.asIntN(64, right.imm as bigint);
    if (BigInt.asIntN(33, constant) !== constant) return false;
    at = left;
  }
  const { field } = at;
  return (
    at.op === 'state.read' &&
    at.access === 'i64' &&
    field?.kind === 'fixed' &&
    field.offset === STATE.gpr + RSP * 8
  );
}
