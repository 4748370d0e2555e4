/**
 * The text of a WebAssembly function's code, one instruction a line, indented by nesting: WebAssembly core
 * specification, chapters 5 (binary format) and 6 (text format). Names come from the op table of the
 * intermediate form; what stands here is structure, locals, constants and memory. Numbers in place of
 * names of locals, functions and types.
 */
import { opRow, ops } from '../../ir/mod.ts';

const MEMORY = [
  ...['i32.load', 'i64.load', 'f32.load', 'f64.load', 'i32.load8_s', 'i32.load8_u'],
  ...['i32.load16_s', 'i32.load16_u', 'i64.load8_s', 'i64.load8_u', 'i64.load16_s'],
  ...['i64.load16_u', 'i64.load32_s', 'i64.load32_u', 'i32.store', 'i64.store', 'f32.store'],
  ...['f64.store', 'i32.store8', 'i32.store16', 'i64.store8', 'i64.store16', 'i64.store32'],
];
const FIRST_MEMORY = 0x28;
const VECTOR_MEMORY = [
  ...['v128.load', 'v128.load8x8_s', 'v128.load8x8_u', 'v128.load16x4_s', 'v128.load16x4_u'],
  ...['v128.load32x2_s', 'v128.load32x2_u', 'v128.load8_splat', 'v128.load16_splat'],
  ...['v128.load32_splat', 'v128.load64_splat', 'v128.store'],
];
const FIRST_LANE_MEMORY = 0x54;
const LANE_MEMORY = [
  ...['v128.load8_lane', 'v128.load16_lane', 'v128.load32_lane', 'v128.load64_lane'],
  ...['v128.store8_lane', 'v128.store16_lane', 'v128.store32_lane', 'v128.store64_lane'],
];
const ZERO_MEMORY: Readonly<Record<number, string>> = {
  92: 'v128.load32_zero',
  93: 'v128.load64_zero',
};
/** Opcodes without operands that the op table does not name. */
const PLAIN: Readonly<Record<number, string>> = {
  0: 'unreachable',
  1: 'nop',
  15: 'return',
  26: 'drop',
  27: 'select',
};
/** Opcodes with one index behind them. */
const INDEXED: Readonly<Record<number, string>> = {
  12: 'br',
  13: 'br_if',
  16: 'call',
  18: 'return_call',
  32: 'local.get',
  33: 'local.set',
  34: 'local.tee',
  35: 'global.get',
  36: 'global.set',
};
const BULK: Readonly<Record<number, string>> = { 10: 'memory.copy', 11: 'memory.fill' };
const VECTOR = 0xfd;
const MISCELLANEOUS = 0xfc;
const TYPES: Readonly<Record<number, string>> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
};

interface Named {
  readonly name: string;
  readonly lane: string | undefined;
}

/** The op table by opcode; those with a prefix byte at prefix × 2^16 + opcode. */
const byOpcode = new Map<number, Named>();
for (const name of Object.keys(ops)) {
  const { wasm, lane } = opRow(name);
  const [first = 0, ...rest] = wasm;
  const code = rest.length === 0 ? first : first * 65_536 + unsigned(rest);
  byOpcode.set(code, { name, lane });
}

function unsigned(bytes: readonly number[]): number {
  return bytes.reduce((value, byte, at) => value + (byte & 0x7f) * 2 ** (7 * at), 0);
}

/** One line of text, and where its code begins. */
export interface WasmLine {
  readonly depth: number;
  readonly text: string;
  /** the value of an `i32.const` line */
  readonly constant?: number;
}

/** Disassembles an entry of the code section (declarations of locals and code). */
export function wasmLines(code: Uint8Array): WasmLine[] {
  return new Reader(code).lines();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #depth = 0;
  /** how much deeper what follows is */
  #inside = 0;
  #constant: number | undefined;
  readonly #lines: WasmLine[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  lines(): WasmLine[] {
    const locals: string[] = [];
    for (let groups = this.#u32(); groups > 0; groups--) {
      const count = this.#u32();
      locals.push(`${count} ${TYPES[this.#u8()] ?? '?'}`);
    }
    this.#say(`(locals ${locals.join(', ')})`);
    while (this.#at < this.#bytes.length) {
      this.#inside = 0;
      this.#constant = undefined;
      const text = this.#instruction();
      this.#say(text, this.#constant);
      this.#depth += this.#inside;
    }
    return this.#lines;
  }

  #say(text: string, constant?: number): void {
    const line = { depth: Math.max(0, this.#depth), text };
    this.#lines.push(constant === undefined ? line : { ...line, constant });
  }

  #instruction(): string {
    const opcode = this.#u8();
    switch (opcode) {
      case 0x02:
      case 0x03:
      case 0x04: {
        const type = this.#s64();
        const result = type === -64n ? '' : ` (result ${TYPES[Number(type & 0x7fn)] ?? type})`;
        this.#inside = 1;
        return `${['block', 'loop', 'if'][opcode - 2]}${result}`;
      }
      case 0x05:
        this.#depth--;
        this.#inside = 1;
        return 'else';
      case 0x0b:
        this.#depth--;
        return 'end';
      case 0x0e: {
        const depths: number[] = [];
        for (let count = this.#u32() + 1; count > 0; count--) depths.push(this.#u32());
        return `br_table ${depths.join(' ')}`;
      }
      case 0x11:
      case 0x13: {
        const type = this.#u32();
        this.#u32();
        return `${opcode === 0x11 ? 'call' : 'return_call'}_indirect (type ${type})`;
      }
      case 0x1c: {
        const types: string[] = [];
        for (let count = this.#u32(); count > 0; count--) types.push(TYPES[this.#u8()] ?? '?');
        return `select (result ${types.join(' ')})`;
      }
      case 0x3f:
      case 0x40:
        this.#u8();
        return opcode === 0x3f ? 'memory.size' : 'memory.grow';
      case 0x41: {
        const value = Number(this.#s64());
        this.#constant = value;
        return `i32.const ${value}`;
      }
      case 0x42:
        return `i64.const ${this.#s64()}`;
      case 0x43:
        return `f32.const ${this.#view.getFloat32(this.#skip(4), true)}`;
      case 0x44:
        return `f64.const ${this.#view.getFloat64(this.#skip(8), true)}`;
      case VECTOR:
        return this.#vector(this.#u32());
      case MISCELLANEOUS:
        return this.#miscellaneous(this.#u32());
    }
    const memory = MEMORY[opcode - FIRST_MEMORY];
    if (memory !== undefined) return `${memory}${this.#memoryOperand()}`;
    const indexed = INDEXED[opcode];
    if (indexed !== undefined) return `${indexed} ${this.#u32()}`;
    return PLAIN[opcode] ?? byOpcode.get(opcode)?.name ?? `(opcode 0x${opcode.toString(16)})`;
  }

  #vector(opcode: number): string {
    const memory = VECTOR_MEMORY[opcode] ?? ZERO_MEMORY[opcode];
    if (memory !== undefined) return `${memory}${this.#memoryOperand()}`;
    const lane = LANE_MEMORY[opcode - FIRST_LANE_MEMORY];
    if (lane !== undefined) return `${lane}${this.#memoryOperand()} ${this.#u8()}`;
    if (opcode === 0x0c) {
      const at = this.#skip(16);
      const words = [0, 4, 8, 12].map(
        (byte) => `0x${this.#view.getUint32(at + byte, true).toString(16)}`,
      );
      return `v128.const i32x4 ${words.join(' ')}`;
    }
    const named = byOpcode.get(VECTOR * 65_536 + opcode);
    if (opcode === 0x0d) {
      const at = this.#skip(16);
      return `i8x16.shuffle ${this.#bytes.subarray(at, at + 16).join(' ')}`;
    }
    // Lanes are taken from and put into vectors by the opcodes from 0x15 to 0x22.
    const operand = opcode >= 0x15 && opcode <= 0x22 ? ` ${this.#u8()}` : '';
    return `${named?.name ?? `(opcode 0xfd 0x${opcode.toString(16)})`}${operand}`;
  }

  #miscellaneous(opcode: number): string {
    const bulk = BULK[opcode];
    if (bulk !== undefined) {
      this.#skip(opcode === 10 ? 2 : 1);
      return bulk;
    }
    const named = byOpcode.get(MISCELLANEOUS * 65_536 + opcode);
    return named?.name ?? `(opcode 0xfc 0x${opcode.toString(16)})`;
  }

  #memoryOperand(): string {
    this.#u32(); // alignment: only a hint
    const offset = this.#u32();
    return offset === 0 ? '' : ` offset=${offset}`;
  }

  #skip(bytes: number): number {
    this.#at += bytes;
    return this.#at - bytes;
  }
  #u8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
  #u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  #s64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; ) {
      const byte = this.#u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return BigInt.asIntN(Number(shift), value);
    }
  }
}
