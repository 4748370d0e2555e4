import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from '../../ir/mod.ts';
import { DE, GP, GuestFault } from '../fault.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import type { AddressKind, Shape } from '../shape.ts';
import { RAX, RBP, RBX, RCX, RDX, RSP } from '../state.ts';
import { integerInstructions } from './integer.ts';
import { TinyProcessor } from './program.fixture.ts';

const MEMORY: Record<number, readonly AddressKind[]> = {
  16: ['seg16', 'seg32'],
  32: ['seg16', 'seg32'],
  64: ['bd64', 'bis64', 'seg64', 'seg32'],
};

/** Shapes an encoding may be met in, a sample of each dimension. */
function* shapes(attributes: ReadonlySet<string>): Generator<Shape> {
  for (const mode of [16, 32, 64] as const) {
    if (mode === 64 ? attributes.has('no64') : attributes.has('only64')) continue;
    for (const operandSize of mode === 64 ? ([16, 32, 64] as const) : ([16, 32] as const)) {
      for (const repeat of ['none', 'rep', 'repne'] as const) {
        if (repeat !== 'none' && !attributes.has('rep')) continue;
        for (const memory of [undefined, ...(MEMORY[mode] ?? [])]) {
          const addressSize = memory === 'seg16' ? 16 : memory === 'seg32' ? 32 : mode;
          const rest = { lock: false, vectorLength: undefined, repeat, memory };
          yield { mode, stackSize: mode, operandSize, addressSize, ...rest };
        }
      }
    }
  }
}

/** Whether state may have been written after `block`; throws when something may fault after a write. */
function checkOrder(block: Block, writtenBefore: boolean): boolean {
  let written = writtenBefore;
  for (const node of block) {
    if (node.op === 'state.write') written = true;
    else if (/^memory\.(load|loadForUpdate|store)$|^fault$|^helper$/.test(node.op)) {
      if (written) throw new Error(`${node.op} after a write of state`);
    }
    // The blocks of `if` exclude each other.
    const inner = (node.blocks ?? []).map((each) => checkOrder(each, written));
    written ||= inner.includes(true);
  }
  return written;
}

const { encodings } = buildOpcodeTable(integerInstructions);

test('whatever may fault comes before the first change of state, in every form and mode', () => {
  let count = 0;
  for (const encoding of encodings) {
    for (const shape of shapes(encoding.attributes)) {
      if (shape.memory === undefined ? encoding.mod === 'memory' : encoding.mod === 'register') {
        continue;
      }
      const { block } = buildMeaning(encoding, shape);
      assert.doesNotThrow(
        () => checkOrder(block, false),
        `${encoding.instruction.name} ${encoding.form.opcode} ${JSON.stringify(shape)}`,
      );
      count++;
    }
  }
  assert.ok(count > 2000, `only ${count} meanings`);
});

test('a 64-bit IMUL notices overflow at the very edge', () => {
  const edge = 1n << 63n;
  const cases: [bigint, bigint][] = [
    [edge, 1n],
    [edge, -1n],
    [edge, 0n],
    [3037000500n, 3037000500n],
    [3037000499n, 3037000499n],
    [-3037000500n, 3037000500n],
    [1n << 32n, 1n << 31n],
    [1n << 32n, -(1n << 31n)],
    [1n << 32n, 1n << 32n],
    [6074000999n, 3037000499n],
    [-1n, -1n],
    [-1n, 0n],
    [0x7fff_ffff_ffff_ffffn, 2n],
    [edge, edge],
  ];
  for (const [left, right] of cases) {
    const cpu = new TinyProcessor(64);
    cpu.state.setGpr(RAX, BigInt.asUintN(64, left));
    cpu.state.setGpr(RBX, BigInt.asUintN(64, right));
    cpu.run('48 0f af c3');
    const product = BigInt.asIntN(64, left) * BigInt.asIntN(64, right);
    assert.equal(cpu.state.gpr(RAX), BigInt.asUintN(64, product));
    const overflows = product !== BigInt.asIntN(64, product);
    assert.equal(cpu.state.getFlags() & 0x801, overflows ? 0x801 : 0, `${left} * ${right}`);
  }
});

test('the high half of a 64-bit product is exact, signed and unsigned', () => {
  const values = [
    0n,
    1n,
    2n,
    0xffff_ffffn,
    1n << 32n,
    1n << 63n,
    (1n << 64n) - 1n,
    0x9e3779b97f4a7c15n,
  ];
  for (const left of values) {
    for (const right of values) {
      const cpu = new TinyProcessor(64);
      cpu.state.setGpr(RAX, left);
      cpu.state.setGpr(RBX, right);
      cpu.run('48 f7 e3');
      assert.equal(cpu.state.gpr(RDX), (left * right) >> 64n);
      cpu.state.setGpr(RAX, left);
      cpu.run('48 f7 eb');
      const signed = BigInt.asIntN(64, left) * BigInt.asIntN(64, right);
      assert.equal(cpu.state.gpr(RDX), BigInt.asUintN(64, signed >> 64n));
    }
  }
});

test('division raises #DE exactly when the quotient does not fit, and changes nothing then', () => {
  const divide = (code: string, rdx: bigint, rax: bigint, divisor: bigint) => {
    const cpu = new TinyProcessor(64);
    cpu.state.setGpr(RAX, BigInt.asUintN(64, rax));
    cpu.state.setGpr(RDX, BigInt.asUintN(64, rdx));
    cpu.state.setGpr(RBX, BigInt.asUintN(64, divisor));
    cpu.run(code);
    return [BigInt.asIntN(64, cpu.state.gpr(RAX)), BigInt.asIntN(64, cpu.state.gpr(RDX))];
  };
  const isDivideError = (error: unknown) => error instanceof GuestFault && error.vector === DE;
  assert.deepEqual(divide('48 f7 f3', 1n, 0n, 2n), [BigInt.asIntN(64, 1n << 63n), 0n]);
  assert.throws(() => divide('48 f7 f3', 1n, 0n, 1n), isDivideError);
  assert.throws(() => divide('48 f7 f3', 0n, 5n, 0n), isDivideError);
  assert.deepEqual(divide('48 f7 fb', -1n, -7n, 2n), [-3n, -1n]);
  assert.deepEqual(divide('48 f7 fb', 1n, 0n, 4n), [1n << 62n, 0n]);
  assert.throws(() => divide('48 f7 fb', 1n, 0n, 2n), isDivideError);
  assert.throws(() => divide('48 f7 fb', -1n, -(1n << 63n), -1n), isDivideError);
  assert.deepEqual(divide('f6 fb', 0n, 0xff7fn, -2n), [64n | (0xffn << 8n), 0n]);
  assert.throws(() => divide('f6 fb', 0n, 0x80n * 2n, 2n), isDivideError);
});

test('a near return to an address that is not canonical faults before the stack pointer moves', () => {
  const cpu = new TinyProcessor(64);
  cpu.state.setGpr(RSP, 0x800n);
  cpu.memory.set([0, 0, 0, 0, 0, 0x80, 0, 0], 0x800);
  assert.throws(
    () => cpu.run('c3'),
    (error) => error instanceof GuestFault && error.vector === GP,
  );
  assert.equal(cpu.state.gpr(RSP), 0x800n);
});

test('POP to a place based on the stack pointer uses its new value', () => {
  const cpu = new TinyProcessor(64);
  cpu.state.setGpr(RSP, 0x800n);
  cpu.memory.set([1, 2, 3, 4, 5, 6, 7, 8], 0x800);
  cpu.run('8f 44 24 08');
  assert.deepEqual([...cpu.memory.slice(0x810, 0x818)], [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(cpu.state.gpr(RSP), 0x808n);
});

test('NOP leaves RAX whole; the same exchange with R8 clears upper halves', () => {
  const cpu = new TinyProcessor(64);
  cpu.state.setGpr(RAX, 0x1122_3344_5566_7788n);
  cpu.state.setGpr(8, 0x99aa_bbcc_ddee_ff00n);
  cpu.run('90');
  assert.equal(cpu.state.gpr(RAX), 0x1122_3344_5566_7788n);
  cpu.run('41 90');
  assert.equal(cpu.state.gpr(RAX), 0xddee_ff00n);
  assert.equal(cpu.state.gpr(8), 0x5566_7788n);
});

test('ENTER with a 16-bit stack takes the upper half of ESP into a 32-bit frame pointer', () => {
  const cpu = new TinyProcessor(16);
  cpu.state.setGpr(RSP, 0x3_8570n);
  cpu.state.setGpr(RBP, 0x1_8acbn);
  cpu.run('66 c8 12 00 00');
  assert.equal(cpu.state.gpr(RBP), 0x3_856cn);
  assert.equal(cpu.state.gpr(RSP), 0x3_855an);
  assert.deepEqual([...cpu.memory.slice(0x856c, 0x8570)], [0xcb, 0x8a, 1, 0]);
});

test('PUSHA and POPA are each other’s reverse but for the stack pointer', () => {
  const cpu = new TinyProcessor(32);
  for (let i = 0; i < 8; i++) cpu.state.setGpr(i, BigInt(0x1000 + i));
  cpu.run('60');
  assert.equal(cpu.state.gpr(RSP), 0x1004n - 32n);
  assert.equal(cpu.memory[0x1004 - 20], 4);
  const top = cpu.state.gpr(RSP);
  for (let i = 0; i < 8; i++) if (i !== RSP) cpu.state.setGpr(i, 0n);
  cpu.state.setGpr(RSP, top);
  cpu.run('61');
  for (let i = 0; i < 8; i++) assert.equal(cpu.state.gpr(i), BigInt(0x1000 + i));
});

test('a bit offset in a register reaches words before and after a memory operand', () => {
  const cpu = new TinyProcessor(64);
  cpu.state.setGpr(RBX, 0x800n);
  cpu.state.setGpr(RCX, BigInt.asUintN(64, -33n));
  cpu.run('0f ab 0b');
  assert.equal(cpu.memory[0x800 - 8 + 3], 0x80);
  cpu.state.setGpr(RCX, 100n);
  cpu.run('0f ab 0b');
  assert.equal(cpu.memory[0x800 + 12], 0x10);
  cpu.run('0f a3 0b');
  assert.equal(cpu.state.getFlags() & 1, 1);
});

test('decimal adjustments give what a processor gives', () => {
  const adjusted = (code: string, ax: number, flags: number) => {
    const cpu = new TinyProcessor(32);
    cpu.state.setGpr(RAX, BigInt(ax));
    cpu.state.setFlags(flags | 2);
    cpu.run(code);
    return [Number(cpu.state.gpr(RAX)), cpu.state.getFlags() & 0xd5];
  };
  assert.deepEqual(adjusted('27', 0x9a, 0), [0x00, 0x55]);
  assert.deepEqual(adjusted('27', 0xff, 0x11), [0x65, 0x15]);
  assert.deepEqual(adjusted('2f', 0x02, 0x10), [0xfc, 0x95]);
  assert.deepEqual(adjusted('2f', 0xff, 0x11), [0x99, 0x95]);
  assert.equal(adjusted('37', 0xfffc, 0x11)[0], 0x102);
  assert.equal(adjusted('3f', 0x7ffb, 0x10)[0], 0x7e05);
  assert.deepEqual(adjusted('d4 0a', 0xfff7, 0x1), [0x1807, 0x00]);
  assert.equal(adjusted('d5 0a', 0xfff7, 0)[0], 0xed);
  assert.throws(
    () => adjusted('d4 00', 1, 0),
    (error) => error instanceof GuestFault && error.vector === DE,
  );
});
