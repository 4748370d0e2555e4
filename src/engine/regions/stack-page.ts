import type { Node } from '../../ir/mod.ts';
import { type FunctionWriter, I32, I64 } from '../../wasm/mod.ts';
import { RSP, STATE } from '../../x86/mod.ts';
import type { KnownPage } from '../emit/body-emitter.ts';
import { toDataEntry } from '../emit/data-tlb.ts';
import { TLB_BASE } from '../handlers/handler-emitter.ts';
import { TLB } from '../tlb-layout.ts';
import type { RegionGraph, RegionInstruction } from './graph.ts';

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
  /** otherwise its locals do not exist */
  readonly #isWorthwhile: boolean;
  /** something is accessed by it */
  #isUsed = false;

  constructor(f: FunctionWriter, graph: RegionGraph) {
    this.#f = f;
    this.#isWorthwhile =
      graph.bits === 64 && hasLoop(graph) && countAccesses(graph) >= LEAST_ACCESSES;
    this.tag = this.#isWorthwhile ? f.local(I64) : -1;
    this.addend = this.#isWorthwhile ? f.local(I32) : -1;
    this.#entry = this.#isWorthwhile ? f.local(I32) : -1;
  }

  /** The page, if an access at `address` is to compare with it. */
  of(address: Node): KnownPage | undefined {
    if (!this.#isWorthwhile || !isNearRsp(address)) return undefined;
    this.#isUsed = true;
    return this;
  }

  /**
   * Looks the page up, if anything compares with it: all the region's code must have been emitted. When the page may not
   * be written, the tag is one that no access compares equal to: until the next look RSP moves by constants of 32 bits,
   * far too seldom to get from one half of 2^64 bytes to the other.
   */
  find(rsp: number): void {
    if (!this.#isUsed) return;
    const f = this.#f;
    // What is pushed next lies below.
    const top = (): void => {
      f.get(rsp).i64Const(8n).op(0x7d); // sub
    };
    top();
    toDataEntry(f, () => f.get(TLB_BASE));
    f.tee(this.#entry).i32Load(TLB.addend).set(this.addend);
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
    for (const instruction of instructions) if (accessesStack(instruction)) count++;
  }
  return count;
}

/** By its operand or, where the operand size is 64 bits and the instruction is no jump, as PUSH and POP do. */
function accessesStack({ encoding, operands, kind }: RegionInstruction): boolean {
  if (kind === 'call' || kind === 'return' || operands.slots.base === STATE.gpr + RSP * 8)
    return true;
  const { attributes } = encoding;
  return kind === 'other' && attributes.has('d64') && !attributes.has('ends');
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
