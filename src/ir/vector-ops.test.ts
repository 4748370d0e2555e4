import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpRow } from './ops.ts';
import type { Type } from './types.ts';
import { vectorOps } from './vector-ops.ts';

/** Where the tiny module keeps its arguments (32 bytes apart) and its result. */
const RESULT = 128;

/** An instruction body: loads the arguments from memory, runs the op, stores the result. */
function body(row: OpRow, imm: number | Uint8Array | undefined): number[] {
  const code: number[] = [0x41, ...leb(RESULT)];
  row.args.forEach((type, i) => {
    code.push(0x41, ...leb(i * 32), ...load(type));
  });
  code.push(...row.wasm);
  if (row.lane === 'lane') code.push(imm as number);
  if (row.lane === 'shuffle') code.push(...(imm as Uint8Array));
  const store = row.type === 'v128' ? [0xfd, 11] : row.type === 'i64' ? [0x37] : [0x36];
  return [...code, ...store, 0, 0];
}

function load(type: Type): number[] {
  if (type === 'v128') return [0xfd, 0, 0, 0];
  return type === 'i64' ? [0x29, 0, 0] : [0x28, 0, 0];
}

function leb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)];
const section = (id: number, bytes: number[]): number[] => {
  const size: number[] = [];
  let rest = bytes.length;
  do {
    size.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return [id, ...size, ...bytes];
};

/** A module with one page of memory `m` and a function `f` that runs `code`. */
function compile(code: number[]): { memory: Uint8Array; run: () => void } {
  const bytes = new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text('m'), 2, 0, ...text('f'), 0, 0]),
    ...section(10, [1, code.length + 2, 0, ...code, 0x0b]),
  ]);
  const exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const memory = exports['m'] as WebAssembly.Memory;
  return { memory: new Uint8Array(memory.buffer), run: exports['f'] as () => void };
}

/** xorshift32 */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const corners = [0x00, 0x00, 0x80, 0x7f, 0xff, 0x01, 0x3f, 0x40];

function randomBytes(random: () => number, floating: boolean): Uint8Array {
  const bytes = new Uint8Array(16).map(() =>
    random() % 3 === 0 ? (corners[random() % corners.length] as number) : random(),
  );
  // Half the time numbers near one, so that arithmetic meets ordinary values too.
  if (floating && random() % 2 === 0) {
    for (let i = 3; i < 16; i += 4) bytes[i] = (random() % 2) * 0x80 + 0x3f + (random() % 2);
  }
  return bytes;
}

function show(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

const isFloat = (name: string): boolean => name.startsWith('f') || name.includes('_f');

/** Float lanes that hold NaN promise no payload: both sides are made canonical. */
function canonical(name: string, bytes: Uint8Array): Uint8Array {
  if (!/^f(32x4|64x2)\.(add|sub|mul|div|sqrt|ceil|floor|trunc|nearest|demote|promote)/.test(name)) {
    return bytes;
  }
  const copy = bytes.slice();
  if (name.startsWith('f32')) {
    const view = new Float32Array(copy.buffer);
    for (let i = 0; i < 4; i++) if (Number.isNaN(view[i])) view[i] = Number.NaN;
  } else {
    const view = new Float64Array(copy.buffer);
    for (let i = 0; i < 2; i++) if (Number.isNaN(view[i])) view[i] = Number.NaN;
  }
  return copy;
}

test('every vector op means the same to the reference and to WebAssembly', () => {
  const random = generator(0x2545f491);
  assert.ok(Object.keys(vectorOps).length > 180);
  for (const [name, row] of Object.entries(vectorOps)) {
    const width = Number(/[if](\d+)x/.exec(name)?.[1] ?? 8);
    for (let variant = 0; variant < (row.lane === undefined ? 1 : 6); variant++) {
      const imm =
        row.lane === 'lane'
          ? random() % (128 / width)
          : row.lane === 'shuffle'
            ? new Uint8Array(16).map(() => random() % 32)
            : undefined;
      const { memory, run } = compile(body(row, imm));
      for (let round = 0; round < 100; round++) {
        const args = row.args.map((type, i) => {
          const bytes = randomBytes(random, isFloat(name));
          // Comparisons for equality must meet equal lanes.
          if (i === 1 && round % 4 === 0) bytes.set(memory.subarray(0, 8));
          memory.set(bytes, i * 32);
          const view = new DataView(bytes.buffer);
          if (type === 'v128') return bytes;
          return type === 'i64' ? view.getBigUint64(0, true) : view.getInt32(0, true);
        });
        run();
        const expected = row.evaluate(...args, imm);
        const view = new DataView(memory.buffer);
        const actual =
          row.type === 'v128'
            ? memory.slice(RESULT, RESULT + 16)
            : row.type === 'i64'
              ? view.getBigUint64(RESULT, true)
              : view.getInt32(RESULT, true);
        const same =
          row.type === 'v128'
            ? show(canonical(name, actual as Uint8Array)) ===
              show(canonical(name, expected as Uint8Array))
            : actual === expected;
        assert.ok(
          same,
          `${name}(${args.map(show).join(', ')}; ${show(imm)}): ${show(expected)} by the row, ${show(actual)} by WebAssembly`,
        );
      }
    }
  }
});
