import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opRow, ops } from '../../ir/mod.ts';
import { FunctionWriter, I32, I64, V128 } from '../../wasm/mod.ts';
import { buildOpcodeTable, type CodeMode, DECODED, Decoder, instructions } from '../../x86/mod.ts';
import { shapeKeyOf } from '../shape-key.ts';
import type { RegionInstruction } from './graph.ts';
import { parseTrace } from './trace.ts';
import { assemblyOf } from './trace-assembly.ts';
import { wasmLines } from './trace-wasm.ts';

const decoder = new Decoder(buildOpcodeTable(instructions), () => true);
const MODE: CodeMode = { bits: 64, stackSize: 64, real: false };

/** The instruction that these bytes are, 0x100 bytes into its page. */
function decode(hex: string): RegionInstruction {
  const bytes = Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16));
  const page = new Uint8Array(0x120);
  page.set(bytes, 0x100);
  assert.equal(decoder.decode(page, 0x100, 0x120, MODE), DECODED, hex);
  decoder.rebase(0x100);
  return {
    at: 0x100,
    length: decoder.length,
    encoding: decoder.encoding,
    shapeKey: shapeKeyOf(decoder, MODE),
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
      immediate: BigInt(decoder.immediateLow),
    },
    record: 0,
    handler: 0,
    kind: 'other',
    target:
      decoder.encoding.instruction.name === 'jmp'
        ? 0x100 + decoder.length + decoder.relative
        : undefined,
    profile: 0,
    bails: false,
  };
}

test('guest instructions are written as the manual writes them', () => {
  const base = 0xffff_ffff_8100_0000n;
  for (const [bytes, text] of [
    ['48 03 47 08', 'add rax, qword [rdi+0x8]'],
    ['89 d8', 'mov eax, ebx'],
    ['8a 64 8d fc', 'mov ah, byte [rbp+rcx*4-0x4]'],
    ['45 0f b6 c7', 'movzx r8d, r15b'],
    ['65 48 8b 04 25 28 00 00 00', 'mov rax, qword [gs:0x28]'],
    ['eb fe', 'jmp 0xffffffff81000100'],
    ['66 0f ef c1', 'pxor xmm0, xmm1'],
    ['f3 a4', 'rep movsb'],
    ['c3', 'ret'],
  ] as const) {
    assert.equal(assemblyOf(decode(bytes), base), text, bytes);
  }
});

test('every op that regions are made of has its name in the text of WebAssembly', () => {
  for (const name of Object.keys(ops)) {
    const { wasm, lane } = opRow(name);
    const f = new FunctionWriter(0);
    f.bytes(wasm);
    if (lane === 'lane') f.op(3);
    if (lane === 'shuffle') f.op(...Array.from({ length: 16 }, (_, at) => at));
    f.drop();
    const texts = wasmLines(f.finish().bytes).map(({ text }) => text);
    assert.equal(texts.length, 4, `${name}: ${texts}`);
    assert.doesNotMatch(texts[1] as string, /^\(opcode/, name);
    assert.deepEqual(texts.slice(2), ['drop', 'end'], name);
  }
});

test('structure, locals, constants and memory have their operands, and nesting is indented', () => {
  const f = new FunctionWriter(1);
  const long = f.local(I64);
  f.local(V128);
  f.block().loop(I32).get(0).i32Load(8).if().i64Const(-5n).set(long).else().br(2).end();
  f.i32Const(-1).brTable([0, 1], 0).end().drop().end();
  f.v128Const(new Uint8Array(16).fill(1)).memory([0xfd, 0x0b], 32);
  f.returnCallIndirect(7);
  assert.deepEqual(
    wasmLines(f.finish().bytes).map(({ depth, text }) => `${'.'.repeat(depth)}${text}`),
    [
      '(locals 1 i64, 1 v128)',
      'block',
      '.loop (result i32)',
      '..local.get 0',
      '..i32.load offset=8',
      '..if',
      '...i64.const -5',
      '...local.set 1',
      '..else',
      '...br 2',
      '..end',
      '..i32.const -1',
      '..br_table 0 1 0',
      '.end',
      '.drop',
      'end',
      'v128.const i32x4 0x1010101 0x1010101 0x1010101 0x1010101',
      'v128.store offset=32',
      'return_call_indirect (type 7)',
      'end',
    ],
  );
});

test('a trace is asked for by an address, or as the hottest', () => {
  assert.deepEqual(parseTrace('hottest'), { kind: 'hottest', count: 1 });
  assert.deepEqual(parseTrace('hottest=12'), { kind: 'hottest', count: 12 });
  const address = 0xffff_ffff_8100_0000n;
  assert.deepEqual(parseTrace('0xffffffff81000000'), { kind: 'address', address });
  for (const text of ['', 'hottest=0', 'warm', '0x', '0x1ffffffffffffffff']) {
    assert.equal(parseTrace(text), undefined, text);
  }
});
