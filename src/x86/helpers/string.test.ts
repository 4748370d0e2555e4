import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestFault, PF } from '../fault.ts';
import { TinyProcessor } from '../instructions/program.fixture.ts';
import { RAX, RCX, RDI, RSI } from '../state.ts';

const DF = 0x400;

function prepared(source: number, destination: number, count: number, mode: 16 | 64 = 64) {
  const cpu = new TinyProcessor(mode);
  for (let i = 0; i < cpu.memory.length; i++) cpu.memory[i] = (i * 167 + (i >> 8) * 13 + 7) & 0xff;
  cpu.state.setGpr(RSI, BigInt(source));
  cpu.state.setGpr(RDI, BigInt(destination));
  cpu.state.setGpr(RCX, BigInt(count));
  return cpu;
}

/** What a loop over single elements leaves in memory. */
function expected(memory: Uint8Array, from: number, to: number, count: number, step: number) {
  const copy = memory.slice();
  const bytes = Math.abs(step);
  for (let i = 0; i < count; i++) {
    copy.copyWithin(to + i * step, from + i * step, from + i * step + bytes);
  }
  return copy;
}

test('REP MOVS equals a loop over its elements, whatever the overlap, size and direction', () => {
  for (const [code, bytes] of [
    ['f3 a4', 1],
    ['f3 66 a5', 2],
    ['f3 a5', 4],
    ['f3 48 a5', 8],
  ] as const) {
    for (const down of [false, true]) {
      for (const distance of [-9, -8, -4, -3, -1, 0, 1, 2, 3, 5, 8, 13, 64, 5000]) {
        const cpu = prepared(0x3f80, 0x3f80 + distance, 100);
        if (down) cpu.state.setFlags(0x202 | DF);
        const step = down ? -bytes : bytes;
        const want = expected(cpu.memory, 0x3f80, 0x3f80 + distance, 100, step);
        cpu.run(code);
        assert.deepEqual(cpu.memory, want, `${code} ${distance} ${down}`);
        assert.equal(cpu.state.gpr(RCX), 0n);
        assert.equal(cpu.state.gpr(RSI), BigInt(0x3f80 + 100 * step));
        assert.equal(cpu.target, undefined);
      }
    }
  }
});

test('REP MOVS without a direct mapping goes element by element to the same end', () => {
  const cpu = prepared(0x1ff0, 0x4000, 10);
  cpu.special.add(4);
  const want = expected(cpu.memory, 0x1ff0, 0x4000, 10, 4);
  cpu.run('f3 a5');
  assert.deepEqual(cpu.memory, want);
  assert.equal(cpu.slowAccesses, 20);
});

test('a fault in the middle leaves count and pointers at the element that faulted', () => {
  const cpu = prepared(0x1000, 0x8ff0, 10);
  cpu.limit = 0x9000n;
  assert.throws(
    () => cpu.run('f3 a5'),
    (error) => error instanceof GuestFault && error.vector === PF && error.address === 0x9000n,
  );
  assert.equal(cpu.state.gpr(RCX), 6n);
  assert.equal(cpu.state.gpr(RSI), 0x1010n);
  assert.equal(cpu.state.gpr(RDI), 0x9000n);
  assert.deepEqual(cpu.memory.slice(0x8ff0, 0x9000), cpu.memory.slice(0x1000, 0x1010));
});

test('a fault at the first element does not even clear upper halves of registers', () => {
  const cpu = prepared(0x1000, 0x8000, 3);
  cpu.limit = 0x8000n;
  cpu.state.setGpr(RCX, 0x7ab3_bacb_0000_0003n);
  assert.throws(() => cpu.run('f3 67 a5'), GuestFault);
  assert.equal(cpu.state.gpr(RCX), 0x7ab3_bacb_0000_0003n);
});

test('a long REP returns to itself after a bounded amount of work', () => {
  const cpu = prepared(0, 0x10, 0x1_0000, 16);
  cpu.state.setGpr(RCX, 0xffffn);
  cpu.state.setGpr(RAX, 0n);
  cpu.run('f3 ab', 0x200n);
  assert.equal(cpu.target, 0x200n);
  assert.equal(cpu.state.gpr(RCX), 0x7fffn);
});

test('16-bit pointers wrap around their segment', () => {
  const cpu = prepared(0xfffc, 0x1000, 4, 16);
  const want = cpu.memory.slice();
  want.set(want.slice(0xfffc), 0x1000);
  want.set(want.slice(0, 4), 0x1004);
  cpu.run('f3 a5');
  assert.deepEqual(cpu.memory, want);
  assert.equal(cpu.state.gpr(RSI), 4n);
});

test('REP STOS fills with elements of every size', () => {
  for (const [code, bytes] of [
    ['f3 aa', 1],
    ['f3 66 ab', 2],
    ['f3 ab', 4],
    ['f3 48 ab', 8],
  ] as const) {
    const cpu = prepared(0, 0x1ffd, 1000);
    cpu.state.setGpr(RAX, 0x1122_3344_5566_7788n);
    cpu.run(code);
    const pattern = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11].slice(0, bytes);
    for (let i = 0; i < 1000 * bytes; i++) {
      assert.equal(cpu.memory[0x1ffd + i], pattern[i % bytes], `${code} at ${i}`);
    }
    assert.notEqual(cpu.memory[0x1ffc], 0x88);
    assert.equal(
      cpu.memory[0x1ffd + 1000 * bytes],
      ((0x1ffd + 1000 * bytes) * 167 + ((0x1ffd + 1000 * bytes) >> 8) * 13 + 7) & 0xff,
    );
  }
});

test('REPNE SCASB finds a byte pages away and stops behind it', () => {
  const cpu = prepared(0, 0x1800, 0x3000);
  cpu.memory.fill(1, 0x1800, 0x6000);
  cpu.memory[0x3777] = 0;
  cpu.state.setGpr(RAX, 0n);
  cpu.run('f2 ae');
  assert.equal(cpu.state.gpr(RDI), 0x3778n);
  assert.equal(cpu.state.gpr(RCX), BigInt(0x3000 - (0x3778 - 0x1800)));
  assert.equal(cpu.state.getFlags() & 0x40, 0x40);
});

test('REPE CMPSD stops at the first difference with its flags', () => {
  const cpu = prepared(0x1000, 0x2ff0, 100);
  cpu.memory.copyWithin(0x2ff0, 0x1000, 0x1200);
  cpu.memory[0x2ff0 + 43] = 0xff;
  cpu.memory[0x1000 + 43] = 0x7f;
  cpu.run('f3 a7');
  assert.equal(cpu.state.gpr(RCX), 89n);
  assert.equal(cpu.state.gpr(RSI), 0x102cn);
  // 7FxxxxxxH - FFxxxxxxH: carry, sign and overflow.
  assert.equal(cpu.state.getFlags() & 0x8c1, 0x881);
});

test('a count of zero changes nothing, flags included', () => {
  const cpu = prepared(0x1000, 0x2000, 0);
  cpu.state.setFlags(0x8d7);
  cpu.run('f3 a6');
  assert.equal(cpu.state.getFlags(), 0x8d7);
  assert.equal(cpu.state.gpr(RSI), 0x1000n);
});
