import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EFLAGS } from '../cpu-state.ts';
import { GuestFault, UD, XM } from '../fault.ts';
import {
  add,
  divide,
  FLOAT64,
  FloatEnvironment,
  multiply,
  QuickArithmetic,
  squareRoot,
  subtract,
} from '../float/mod.ts';
import { FLOAT_OPERATION } from '../float/operation.ts';
import { gprOffset, RAX, RCX, RDX, STATE } from '../state.ts';
import { VectorRegisters } from './vector-registers.fixture.ts';

const ADDSD = 'f2 0f 58 c1';
const SUBSD = 'f2 0f 5c c1';
const MULSD = 'f2 0f 59 c1';
const PE = 32;

const view = new DataView(new ArrayBuffer(8));
function bits(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
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

/** Small integers and fractions, and now and then a number with all bits. */
function plainNumber(random: () => number): number {
  const integer = (random() % 2001) - 1000;
  const kind = random() % 4;
  if (kind === 0) return integer;
  if (kind === 1) return integer / 1024;
  return kind === 2 ? integer * 2 ** 40 : integer / 3;
}

test('SSE: arithmetic on doubles agrees with the careful one, flags and all', () => {
  const random = generator(0x1357_9bdf);
  const operations = [
    [ADDSD, add],
    [SUBSD, subtract],
    [MULSD, multiply],
  ] as const;
  for (let i = 0; i < 600; i++) {
    const [x, y] = [plainNumber(random), plainNumber(random)];
    for (const [code, operation] of operations) {
      for (const mxcsr of [0x1f80, 0x1fa0, 0x3f80, 0x5fa0]) {
        const cpu = new VectorRegisters(mxcsr);
        cpu.setDouble(0, x);
        cpu.setDouble(1, y);
        cpu.run(code);
        const env = new FloatEnvironment(mxcsr);
        const expected = operation(FLOAT64, env, bits(x), bits(y));
        assert.equal(bits(cpu.getDouble(0)), expected, `${code} of ${x} and ${y} under ${mxcsr}`);
        assert.equal(cpu.mxcsr, mxcsr | env.flags, `flags of ${code} of ${x} and ${y}`);
      }
    }
  }
});

test('SSE: counting in doubles needs no helper although PE is clear', () => {
  const cpu = new VectorRegisters();
  cpu.setDouble(0, 41);
  cpu.setDouble(1, 1);
  cpu.run(ADDSD);
  cpu.run(MULSD);
  cpu.run(SUBSD);
  assert.equal(cpu.getDouble(0), 41);
  assert.deepEqual(cpu.helpers, []);
  assert.equal(cpu.mxcsr, 0x1f80);
});

test('SSE: quick arithmetic of helpers agrees with the careful one', () => {
  const random = generator(0x2468_ace1);
  const quick = new QuickArithmetic();
  const operations = [
    ['add', add],
    ['subtract', subtract],
    ['multiply', multiply],
    ['divide', divide],
  ] as const;
  const check = (operation: number, x: number, y: number, expected: bigint, inexact: boolean) => {
    quick.inexact = false;
    const result = quick.run(operation, 64, x, y);
    if (Number.isNaN(result)) return;
    assert.equal(bits(result), expected, `operation ${operation} of ${x} and ${y}`);
    assert.equal(quick.inexact, inexact, `operation ${operation} of ${x} and ${y}: inexact`);
  };
  for (let i = 0; i < 1500; i++) {
    const [x, y] = [plainNumber(random), plainNumber(random)];
    for (const [name, operation] of operations) {
      const env = new FloatEnvironment(0x1f80);
      const expected = operation(FLOAT64, env, bits(x), bits(y));
      check(FLOAT_OPERATION[name], x, y, expected, (env.flags & PE) !== 0);
    }
    const env = new FloatEnvironment(0x1f80);
    const root = squareRoot(FLOAT64, env, bits(Math.abs(x)));
    check(FLOAT_OPERATION.squareRoot, Math.abs(x), 0, root, (env.flags & PE) !== 0);
  }
});

test('SSE: an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT, and changes no register', () => {
  const divide = 'f2 0f 5e c1';
  for (const [cr4, vector] of [
    [0x600n, XM],
    [0x200n, UD],
  ] as const) {
    const cpu = new VectorRegisters(0x1d80); // zero-divide unmasked
    cpu.state.set64(STATE.cr4, cr4);
    cpu.setDouble(0, 1);
    assert.throws(
      () => cpu.run(divide),
      (fault) => fault instanceof GuestFault && fault.vector === vector,
    );
    assert.equal(cpu.getDouble(0), 1);
    assert.equal(cpu.mxcsr, 0x1d84);
  }
});

test('SSE: a move between registers merges, MOVQ and MOVD clear', () => {
  const cpu = new VectorRegisters();
  cpu.set(0, '00112233445566778899aabbccddeeff');
  cpu.set(1, 'ffeeddccbbaa99887766554433221100');
  cpu.run('f3 0f 10 c1'); // movss xmm0, xmm1
  assert.equal(cpu.get(0), '00112233445566778899aabb33221100');
  cpu.run('f3 0f 7e c1'); // movq xmm0, xmm1
  assert.equal(cpu.get(0), '00000000000000007766554433221100');
  cpu.state.set64(gprOffset(RAX), 0xdead_beef_0123_4567n);
  cpu.run('66 0f 6e c0'); // movd xmm0, eax
  assert.equal(cpu.get(0), '00000000000000000000000001234567');
});

test('SSE: the legacy form keeps the upper half of a YMM register, VEX clears it', () => {
  const cpu = new VectorRegisters();
  cpu.set(0, '0123456789abcdef0123456789abcdef', 16);
  cpu.set(1, '01'.repeat(16));
  cpu.run('66 0f fc c1'); // paddb xmm0, xmm1
  assert.equal(cpu.get(0, 16), '0123456789abcdef0123456789abcdef');
  cpu.run('c5 f9 fc c1'); // vpaddb xmm0, xmm0, xmm1
  assert.equal(cpu.get(0), '02'.repeat(16));
  assert.equal(cpu.get(0, 16), '00'.repeat(16));
});

test('SSE: shuffles by an immediate take the lanes it names', () => {
  const cpu = new VectorRegisters();
  cpu.set(1, '33333333222222221111111100000000');
  cpu.run('66 0f 70 c1 1b'); // pshufd xmm0, xmm1, 0x1b
  assert.equal(cpu.get(0), '00000000111111112222222233333333');
  cpu.run('66 0f 73 d8 05'); // psrldq xmm0, 5
  assert.equal(cpu.get(0), '00000000000000000011111111222222');
});

test('MMX: writing a register makes all x87 registers valid and TOP zero; EMMS empties them', () => {
  const cpu = new VectorRegisters();
  cpu.state.set32(STATE.fpuTop, 5);
  cpu.state.set64(STATE.fpr + 16, 0x0102_0304_0506_0708n);
  cpu.run('0f 6f d1'); // movq mm2, mm1
  assert.equal(cpu.state.get64(STATE.fpr + 32), 0x0102_0304_0506_0708n);
  assert.equal(cpu.state.get16(STATE.fpr + 40), 0xffff);
  assert.equal(cpu.state.get32(STATE.fpuTop), 0);
  assert.equal(cpu.state.get32(STATE.fpuValid), 0xff);
  cpu.run('0f 77');
  assert.equal(cpu.state.get32(STATE.fpuValid), 0);
});

test('SSE4.2: PCMPISTRI finds the first of a set of characters', () => {
  const cpu = new VectorRegisters();
  const text = (value: string): string =>
    Buffer.from(value.padEnd(16, '\0')).reverse().toString('hex');
  cpu.set(0, text('?!'));
  cpu.set(1, text('what is it?'));
  cpu.run('66 0f 3a 63 c1 00'); // equal any
  assert.equal(cpu.state.gpr(RCX), 10n);
  const flags = cpu.state.getFlags();
  assert.ok(flags & EFLAGS.CF && flags & EFLAGS.ZF && flags & EFLAGS.SF);
  cpu.set(1, text('nothing to find'));
  cpu.run('66 0f 3a 63 c1 00');
  assert.equal(cpu.state.gpr(RCX), 16n);
  assert.equal(cpu.state.getFlags() & EFLAGS.CF, 0);
});

test('SSE4.2: PCMPESTRI takes the magnitude of its lengths', () => {
  const cpu = new VectorRegisters();
  cpu.set(0, '00'.repeat(16));
  cpu.set(1, '00'.repeat(16));
  cpu.state.set64(gprOffset(RAX), 0xffff_fffen); // -2
  cpu.state.set64(gprOffset(RDX), 3n);
  cpu.run('66 0f 3a 61 c1 08'); // equal each
  assert.equal(cpu.state.gpr(RCX), 0n);
  cpu.run('66 0f 3a 61 c1 18'); // its negation: the third place differs in validity
  assert.equal(cpu.state.gpr(RCX), 2n);
});

test('AES: one round is the one of FIPS 197, appendix B', () => {
  const cpu = new VectorRegisters();
  const bytes = (hex: string): string => (hex.match(/../g) as string[]).reverse().join('');
  cpu.set(0, bytes('193de3bea0f4e22b9ac68d2ae9f84808'));
  cpu.set(1, bytes('a0fafe1788542cb123a339392a6c7605'));
  cpu.run('66 0f 38 dc c1');
  assert.equal(cpu.get(0), bytes('a49c7ff2689f352b6b5bea43026a5049'));
});
