import { ByteWriter } from './bytes.ts';
import { type OwnValueUse, pushConstant } from './own-value.ts';

/** Value types by their binary codes. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export const FUNCREF = 0x70;
export const VOID = 0x40;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;

/** Whether a branch is taken, for the compiler: code that is not likely goes to the end of the function. */
export interface BranchHint {
  /** position of an `if` or `br_if` */
  readonly at: number;
  readonly isLikely: boolean;
}

/** A call of a function that has a name besides its index: code that has no other calls can move to another module. */
export interface NamedCall {
  /** position of the index, which takes five bytes */
  readonly at: number;
  readonly name: string;
}

/** A function's entry in the code section, without its size. Hints are in ascending order, from its first byte on. */
export interface FunctionCode {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly hints: readonly BranchHint[];
  readonly calls: readonly NamedCall[];
  readonly ownValues: readonly OwnValueUse[];
}

/**
 * Writes the body of one WebAssembly function. Methods are the instructions, by name; operands of
 * memory instructions are static offsets.
 */
export class FunctionWriter {
  readonly code = new ByteWriter(512);
  readonly #params: number;
  readonly #locals: ValueType[] = [];
  #hints: BranchHint[] = [];
  #calls: NamedCall[] = [];
  #ownValues: OwnValueUse[] = [];

  /** @param params number of parameters: locals are numbered after them */
  constructor(params: number) {
    this.#params = params;
  }

  /** Declares a local and returns its index. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#params + this.#locals.length - 1;
  }

  op(...opcode: number[]): this {
    for (const byte of opcode) this.code.u8(byte);
    return this;
  }
  bytes(opcode: readonly number[]): this {
    this.code.append(opcode);
    return this;
  }

  get(local: number): this {
    this.code.u8(0x20);
    this.code.u32(local);
    return this;
  }
  set(local: number): this {
    this.code.u8(0x21);
    this.code.u32(local);
    return this;
  }
  tee(local: number): this {
    this.code.u8(0x22);
    this.code.u32(local);
    return this;
  }

  /** Pushes the function's own value. */
  ownValue(): this {
    this.#ownValues.push({ at: this.code.length });
    this.code.append(pushConstant(0));
    return this;
  }

  i32Const(value: number): this {
    this.code.u8(0x41);
    this.code.s32(value);
    return this;
  }
  i64Const(value: bigint): this {
    this.code.u8(0x42);
    this.code.s64(value);
    return this;
  }
  v128Const(bytes: Uint8Array): this {
    this.code.append([0xfd, 0x0c]);
    this.code.append(bytes);
    return this;
  }

  /** A load or store: `opcode` bytes, static `offset`; alignment hint 0. */
  memory(opcode: readonly number[], offset: number): this {
    this.code.append(opcode);
    this.code.u8(0);
    this.code.u32(offset);
    return this;
  }
  i32Load(offset: number): this {
    return this.memory([0x28], offset);
  }
  i64Load(offset: number): this {
    return this.memory([0x29], offset);
  }
  i32Load8u(offset: number): this {
    return this.memory([0x2d], offset);
  }
  i32Load16u(offset: number): this {
    return this.memory([0x2f], offset);
  }
  i32Store(offset: number): this {
    return this.memory([0x36], offset);
  }
  i64Store(offset: number): this {
    return this.memory([0x37], offset);
  }

  i32Add(): this {
    return this.op(0x6a);
  }
  i32Sub(): this {
    return this.op(0x6b);
  }
  i32And(): this {
    return this.op(0x71);
  }
  i32Or(): this {
    return this.op(0x72);
  }
  i32Eqz(): this {
    return this.op(0x45);
  }
  i64Add(): this {
    return this.op(0x7c);
  }
  wrap(): this {
    return this.op(0xa7);
  }

  block(type: number = VOID): this {
    return this.op(0x02, type);
  }
  loop(type: number = VOID): this {
    return this.op(0x03, type);
  }
  /** `isLikely` says whether its first block is expected to run. */
  if(type: number = VOID, isLikely?: boolean): this {
    this.#hint(isLikely);
    return this.op(0x04, type);
  }
  else(): this {
    return this.op(0x05);
  }
  end(): this {
    return this.op(0x0b);
  }
  br(depth: number): this {
    this.code.u8(0x0c);
    this.code.u32(depth);
    return this;
  }
  /** `isLikely` says whether it is expected to be taken. */
  brIf(depth: number, isLikely?: boolean): this {
    this.#hint(isLikely);
    this.code.u8(0x0d);
    this.code.u32(depth);
    return this;
  }
  #hint(isLikely: boolean | undefined): void {
    if (isLikely !== undefined) this.#hints.push({ at: this.code.length, isLikely });
  }
  brTable(depths: readonly number[], otherwise: number): this {
    this.code.u8(0x0e);
    this.code.u32(depths.length);
    for (const depth of depths) this.code.u32(depth);
    this.code.u32(otherwise);
    return this;
  }
  return(): this {
    return this.op(0x0f);
  }
  call(functionIndex: number): this {
    this.code.u8(0x10);
    this.code.u32(functionIndex);
    return this;
  }
  callIndirect(typeIndex: number): this {
    this.code.u8(0x11);
    this.code.u32(typeIndex);
    this.code.u8(0);
    return this;
  }
  /** Calls the function at `functionIndex`, known as `name`. */
  callNamed(functionIndex: number, name: string): this {
    this.code.u8(0x10);
    this.#calls.push({ at: this.code.length, name });
    this.code.padded32(functionIndex);
    return this;
  }
  returnCall(functionIndex: number): this {
    this.code.u8(0x12);
    this.code.u32(functionIndex);
    return this;
  }
  returnCallIndirect(typeIndex: number): this {
    this.code.u8(0x13);
    this.code.u32(typeIndex);
    this.code.u8(0);
    return this;
  }
  unreachable(): this {
    return this.op(0x00);
  }
  drop(): this {
    return this.op(0x1a);
  }
  select(): this {
    return this.op(0x1b);
  }

  /** Removes and returns the code written so far: what is written next can be put before it. */
  takeCode(): FunctionCode {
    const [hints, calls, ownValues] = [this.#hints, this.#calls, this.#ownValues];
    this.#hints = [];
    this.#calls = [];
    this.#ownValues = [];
    return { bytes: this.code.take(), hints, calls, ownValues };
  }

  /** Appends the bytes from `from` to `to` of code that was taken. */
  putCode({ bytes, hints, calls, ownValues }: FunctionCode, from: number, to: number): void {
    const shift = this.code.length - from;
    const isMoved = ({ at }: { readonly at: number }) => at >= from && at < to;
    this.#hints.push(...moved(hints.filter(isMoved), shift));
    this.#calls.push(...moved(calls.filter(isMoved), shift));
    this.#ownValues.push(...moved(ownValues.filter(isMoved), shift));
    this.code.append(bytes.subarray(from, to));
  }

  /** The whole function. */
  finish(): FunctionCode {
    const out = new ByteWriter(this.code.length + 16);
    // Runs of equal types share one declaration.
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    out.u32(runs.length);
    for (const [count, type] of runs) {
      out.u32(count);
      out.u8(type);
    }
    const shift = out.length;
    out.append(this.code.peek());
    out.u8(0x0b);
    return {
      bytes: out.finish(),
      hints: moved(this.#hints, shift),
      calls: moved(this.#calls, shift),
      ownValues: moved(this.#ownValues, shift),
    };
  }
}

function moved<T extends { readonly at: number }>(marks: readonly T[], by: number): T[] {
  return marks.map((mark) => ({ ...mark, at: mark.at + by }));
}
