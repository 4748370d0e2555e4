import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EFLAGS } from '../cpu-state.ts';
import { GP, UD } from '../fault.ts';
import { CS, DS, ES, GS, RCX, RSP, SS, STATE } from '../state.ts';
import { EFER } from './control-bits.ts';
import { nmiBlocked, setNmiBlocked } from './nmi.ts';
import { DESCRIPTOR, faultOf, TestCpu } from './test-cpu.fixture.ts';

const GDT = 0x2_0000;
const STACK = 0x5_0000;

function longCpu(): TestCpu {
  const cpu = new TestCpu('long');
  cpu.setDescriptor(GDT, 0x10, DESCRIPTOR.code64);
  cpu.setDescriptor(GDT, 0x18, DESCRIPTOR.data);
  cpu.setDescriptor(GDT, 0x20, DESCRIPTOR.userCode32);
  cpu.setDescriptor(GDT, 0x28, DESCRIPTOR.userData);
  cpu.setDescriptor(GDT, 0x30, DESCRIPTOR.userCode64);
  cpu.state.set64(STATE.gdtrBase, BigInt(GDT));
  cpu.state.set32(STATE.gdtrLimit, 0xff);
  cpu.state.setGpr(RSP, BigInt(STACK));
  return cpu;
}

function push64(cpu: TestCpu, words: (number | bigint)[]): void {
  words.forEach((word, i) => {
    cpu.view.setBigUint64(STACK + i * 8, BigInt(word), true);
  });
}

test('IRETQ to user mode loads all five words and drops kernel data segments', () => {
  const cpu = longCpu();
  const { state } = cpu;
  state.setSegment(GS, 0, 0, 0, 0x7777n);
  push64(cpu, [0x40_0000, 0x33, EFLAGS.IF | EFLAGS.CF | EFLAGS.RF | 2, 0x7_0000, 0x2b]);
  setNmiBlocked(state, true);
  state.set32(STATE.interruptPending, 0x8000_0000);
  cpu.run('iret', 64);
  assert.equal(cpu.redirectedTo, 0x40_0000n);
  assert.equal(state.cpl, 3);
  assert.equal(state.gpr(RSP), 0x7_0000n);
  assert.equal(state.selector(SS), 0x2b);
  assert.equal(state.getFlags(), EFLAGS.IF | EFLAGS.CF | 2);
  assert.equal(state.get32(STATE.attention), 0x8000_0000);
  assert.equal(state.segmentAttributes(DS), 0);
  assert.equal(state.segmentAttributes(ES), 0);
  assert.equal(state.segmentBase(GS), 0x7777n); // an unusable segment keeps its base
  assert.equal(nmiBlocked(state), false);
});

test('IRETQ to compatibility mode takes a 32-bit code segment', () => {
  const cpu = longCpu();
  push64(cpu, [0x40_0000, 0x23, 2, 0x7_0000, 0x2b]);
  cpu.run('iret', 64);
  assert.equal(cpu.state.segmentAttributes(CS) & 0x6000, 0x4000);
  assert.equal(cpu.state.gpr(RSP), 0x7_0000n);
});

test('IRETQ within the kernel accepts a null SS and restores RSP', () => {
  const cpu = longCpu();
  push64(cpu, [0x1234, 0x10, 2, 0x6_0008, 0]);
  cpu.run('iret', 64);
  assert.equal(cpu.state.gpr(RSP), 0x6_0008n);
  assert.equal(cpu.state.selector(SS), 0);
  assert.equal(cpu.state.cpl, 0);
});

test('IRETQ faults and changes nothing: bad SS, inner CS, target that is not canonical, NT', () => {
  const cases: [(number | bigint)[], number][] = [
    [[0x1234, 0x33, 2, 0x6_0000, 0x18], 0x18],
    [[0x1234, 0x33, 2, 0x6_0000, 0], 0],
    [[0x1234, 0, 2, 0x6_0000, 0x2b], 0],
    [[1n << 47n, 0x33, 2, 0x6_0000, 0x2b], 0],
    [[0x1234, 0x1f8, 2, 0x6_0000, 0x2b], 0x1f8],
  ];
  for (const [words, code] of cases) {
    const cpu = longCpu();
    push64(cpu, words);
    const before = cpu.state.u8.slice();
    const fault = faultOf(() => cpu.run('iret', 64));
    assert.deepEqual([fault.vector, fault.errorCode], [GP, code], String(words));
    assert.deepEqual(cpu.state.u8, before);
  }
  const cpu = longCpu();
  cpu.state.setFlags(EFLAGS.NT | 2);
  push64(cpu, [0x1234, 0x33, 2, 0x6_0000, 0x2b]);
  assert.equal(faultOf(() => cpu.run('iret', 64)).vector, GP);
});

test('IRETQ from user mode changes neither IOPL nor IF', () => {
  const cpu = longCpu();
  const { state } = cpu;
  state.cpl = 3;
  state.setFlags(EFLAGS.IF | 2);
  push64(cpu, [0x1234, 0x33, EFLAGS.IOPL | EFLAGS.ZF | 2, 0x6_0000, 0x2b]);
  cpu.run('iret', 64);
  assert.equal(state.getFlags(), EFLAGS.IF | EFLAGS.ZF | 2);
});

test('SYSCALL saves RIP and RFLAGS, masks flags, and enters LSTAR at level 0', () => {
  const cpu = longCpu();
  const { state } = cpu;
  assert.equal(faultOf(() => cpu.run('syscall')).vector, UD);
  state.set32(STATE.efer, state.get32(STATE.efer) | EFER.SCE);
  state.set64(STATE.star, 0x0023_0010_0000_0000n);
  state.set64(STATE.lstar, 0xffff_8000_0000_1000n);
  state.set64(STATE.sfmask, BigInt(EFLAGS.IF | EFLAGS.TF));
  state.cpl = 3;
  state.setFlags(EFLAGS.IF | EFLAGS.CF | 2);
  cpu.run('syscall');
  assert.equal(state.gpr(RCX), cpu.nextRip());
  assert.equal(state.gpr(11), BigInt(EFLAGS.IF | EFLAGS.CF | 2));
  assert.equal(state.getFlags(), EFLAGS.CF | 2);
  assert.equal(cpu.redirectedTo, 0xffff_8000_0000_1000n);
  assert.deepEqual([cpu.cs, state.selector(SS), state.cpl], [0x10, 0x18, 0]);

  state.setGpr(RCX, 0x40_0000n);
  cpu.run('sysret', 64);
  assert.equal(cpu.redirectedTo, 0x40_0000n);
  assert.deepEqual([cpu.cs, state.selector(SS), state.cpl], [0x33, 0x2b, 3]);
  assert.equal(state.getFlags(), EFLAGS.IF | EFLAGS.CF | 2);
  assert.equal(state.segmentAttributes(CS) & 0x2000, 0x2000);
});

test('SYSRET with a 32-bit operand returns to compatibility mode', () => {
  const cpu = longCpu();
  const { state } = cpu;
  state.set32(STATE.efer, state.get32(STATE.efer) | EFER.SCE);
  state.set64(STATE.star, 0x0023_0010_0000_0000n);
  state.setGpr(RCX, 0xffff_ffff_0040_0000n);
  cpu.run('sysret', 32);
  assert.equal(cpu.redirectedTo, 0x40_0000n);
  assert.equal(cpu.cs, 0x23);
  assert.equal(state.segmentAttributes(CS) & 0x6000, 0x4000);
});

test('SYSENTER is undefined in long mode', () => {
  assert.equal(faultOf(() => longCpu().run('sysenter')).vector, UD);
});

test('far RET to an outer level switches the stack and releases parameters on both', () => {
  const cpu = new TestCpu('protected');
  const { state } = cpu;
  cpu.setDescriptor(GDT, 0x20, DESCRIPTOR.userCode32);
  cpu.setDescriptor(GDT, 0x28, DESCRIPTOR.userData);
  state.set64(STATE.gdtrBase, BigInt(GDT));
  state.set32(STATE.gdtrLimit, 0xff);
  state.setGpr(RSP, BigInt(STACK));
  [0x1234, 0x23, 0xaaaa, 0xbbbb, 0x6_0000, 0x2b].forEach((word, i) => {
    cpu.view.setUint32(STACK + i * 4, word, true);
  });
  cpu.run('farReturn', 32, 8);
  assert.equal(cpu.redirectedTo, 0x1234n);
  assert.equal(state.gpr(RSP), 0x6_0008n);
  assert.equal(state.cpl, 3);
  assert.equal(state.selector(SS), 0x2b);
});
