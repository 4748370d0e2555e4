import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EFLAGS } from '../cpu-state.ts';
import { DF, GP, GuestFault, NP, PF, TS } from '../fault.ts';
import { CS, RSP, SS, STATE, TR } from '../state.ts';
import { deliver, deliverFault, deliverInterrupt, deliverNmi, nmiBlocked } from './mod.ts';
import { DESCRIPTOR, faultOf, TestCpu } from './test-cpu.fixture.ts';

const GDT = 0x2_0000;
const IDT = 0x3_0000;
const TSS = 0x4_0000;
const STACK = 0x5_0000n;
const KERNEL_CS = 0x10;

/** A long-mode kernel with handlers at 0x9000 + 16 × vector. */
function longCpu(cpl: 0 | 3): TestCpu {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  cpu.setDescriptor(GDT, KERNEL_CS, DESCRIPTOR.code64);
  cpu.setDescriptor(GDT, 0x18, DESCRIPTOR.data);
  cpu.setDescriptor(GDT, 0x28, DESCRIPTOR.userData);
  cpu.setDescriptor(GDT, 0x30, DESCRIPTOR.userCode64);
  state.set64(STATE.gdtrBase, BigInt(GDT));
  state.set32(STATE.gdtrLimit, 0xff);
  state.set64(STATE.idtrBase, BigInt(IDT));
  state.set32(STATE.idtrLimit, 0xfff);
  state.setSegment(TR, 0x40, 0x8b, 0x67, BigInt(TSS));
  cpu.view.setBigUint64(TSS + 4, 0x6_0008n, true); // RSP0, misaligned on purpose
  cpu.view.setBigUint64(TSS + 0x24, 0x7_0000n, true); // IST1
  for (let vector = 0; vector < 256; vector++) setGate(cpu, vector);
  state.setGpr(RSP, STACK);
  if (cpl === 3) {
    state.cpl = 3;
    state.setSegment(CS, 0x33, 0xa0fb, 0xffff_ffff, 0n);
    state.setSegment(SS, 0x2b, 0xc0f3, 0xffff_ffff, 0n);
  }
  state.setFlags(EFLAGS.IF | EFLAGS.TF | EFLAGS.ZF | 2);
  return cpu;
}

interface GateOptions {
  readonly type?: number;
  readonly ist?: number;
  readonly selector?: number;
}

function setGate(cpu: TestCpu, vector: number, options: GateOptions = {}): void {
  const { type = 0x8e, ist = 0, selector = KERNEL_CS } = options;
  const at = IDT + vector * 16;
  cpu.view.setUint16(at, 0x9000 + vector * 16, true);
  cpu.view.setUint16(at + 2, selector, true);
  cpu.view.setUint8(at + 4, ist);
  cpu.view.setUint8(at + 5, type);
}

function frame(cpu: TestCpu, words: number): bigint[] {
  const top = Number(cpu.state.gpr(RSP));
  return Array.from({ length: words }, (_, i) => cpu.view.getBigUint64(top + i * 8, true));
}

test('long mode: a page fault in user code switches to RSP0, aligned, and pushes its error code', () => {
  const cpu = longCpu(3);
  assert.equal(deliverFault(cpu, new GuestFault(PF, 6, 0x1234_5000n), 0x40_0000n), 'delivered');
  const flags = BigInt(EFLAGS.IF | EFLAGS.TF | EFLAGS.ZF | EFLAGS.RF | 2);
  assert.deepEqual(frame(cpu, 6), [6n, 0x40_0000n, 0x33n, flags, STACK, 0x2bn]);
  assert.equal(cpu.state.gpr(RSP), 0x6_0000n - 48n);
  assert.equal(cpu.state.get64(STATE.cr2), 0x1234_5000n);
  assert.equal(cpu.redirectedTo, 0x90e0n);
  assert.equal(cpu.state.cpl, 0);
  assert.equal(cpu.cs, KERNEL_CS);
  assert.equal(cpu.state.selector(SS), 0);
  assert.equal(cpu.state.getFlags(), EFLAGS.ZF | 2);
});

test('long mode: an interrupt at the same level keeps SS, aligns the stack and pushes no error code', () => {
  const cpu = longCpu(0);
  cpu.state.setGpr(RSP, STACK + 8n);
  deliverInterrupt(cpu, 0x30, 0x1000n);
  assert.equal(frame(cpu, 5)[0], 0x1000n);
  assert.equal(frame(cpu, 5)[3], STACK + 8n);
  assert.equal(cpu.state.gpr(RSP), STACK - 40n);
  assert.equal(cpu.state.selector(SS), 0x18);
});

test('long mode: a trap gate leaves IF as it is', () => {
  const cpu = longCpu(0);
  setGate(cpu, 0x30, { type: 0x8f });
  deliverInterrupt(cpu, 0x30, 0x1000n);
  assert.equal(cpu.state.systemFlags & (EFLAGS.IF | EFLAGS.TF), EFLAGS.IF);
});

test('long mode: an interrupt stack table entry replaces the stack at the same level too', () => {
  const cpu = longCpu(0);
  setGate(cpu, 2, { ist: 1 });
  deliverNmi(cpu, 0x1000n);
  assert.equal(cpu.state.gpr(RSP), 0x7_0000n - 40n);
  assert.equal(nmiBlocked(cpu.state), true);
});

test('long mode: INT n respects the DPL of its gate, exceptions do not', () => {
  const cpu = longCpu(3);
  const fault = faultOf(() => cpu.run('interrupt', 0x80));
  assert.deepEqual([fault.vector, fault.errorCode], [GP, 0x80 * 8 + 2]);
  setGate(cpu, 0x80, { type: 0xee });
  cpu.run('interrupt', 0x80);
  assert.equal(cpu.redirectedTo, 0x9800n);
  assert.equal(frame(cpu, 1)[0], cpu.nextRip());
});

test('long mode: an absent gate is #NP with EXT set for external events', () => {
  const cpu = longCpu(0);
  setGate(cpu, 0x30, { type: 0x0e });
  deliverInterrupt(cpu, 0x30, 0x1000n);
  assert.equal(cpu.redirectedTo, BigInt(0x9000 + NP * 16));
  assert.equal(frame(cpu, 1)[0], BigInt(0x30 * 8 + 3));
});

test('long mode: a handler in a 32-bit segment is #GP of its selector', () => {
  const cpu = longCpu(0);
  cpu.setDescriptor(GDT, 0x20, DESCRIPTOR.code32);
  setGate(cpu, 0x30, { selector: 0x20 });
  deliverInterrupt(cpu, 0x30, 0x1000n);
  assert.equal(cpu.redirectedTo, BigInt(0x9000 + GP * 16));
  assert.equal(frame(cpu, 1)[0], 0x21n);
});

test('a page fault while a page fault is delivered becomes a double fault', () => {
  const cpu = longCpu(3);
  cpu.absentPages.add(0x5f);
  setGate(cpu, DF, { ist: 1 });
  assert.equal(deliverFault(cpu, new GuestFault(PF, 4, 0x1000n), 0x40_0000n), 'delivered');
  assert.equal(cpu.redirectedTo, BigInt(0x9000 + DF * 16));
  assert.deepEqual(frame(cpu, 2), [0n, 0x40_0000n]);
  assert.equal(cpu.state.get64(STATE.cr2), 0x5_ffd0n);
});

test('a page fault while an interrupt is delivered is just a page fault', () => {
  const cpu = longCpu(3);
  cpu.absentPages.add(0x5f);
  setGate(cpu, PF, { ist: 1 });
  deliverInterrupt(cpu, 0x30, 0x40_0000n);
  assert.equal(cpu.redirectedTo, BigInt(0x9000 + PF * 16));
});

test('a double fault that cannot be delivered shuts the processor down, unchanged', () => {
  const cpu = longCpu(3);
  cpu.absentPages.add(0x5f);
  assert.equal(deliverFault(cpu, new GuestFault(PF, 4, 0x1000n), 0x40_0000n), 'shutdown');
  assert.equal(cpu.state.gpr(RSP), STACK);
  assert.equal(cpu.state.cpl, 3);
  assert.equal(cpu.redirectedTo, undefined);
});

test('an interrupt table of limit zero means shutdown', () => {
  const cpu = longCpu(0);
  cpu.state.set32(STATE.idtrLimit, 0);
  assert.equal(deliverInterrupt(cpu, 0x30, 0x1000n), 'shutdown');
});

test('delivery ends the interrupt shadow and a halt', () => {
  const cpu = longCpu(0);
  cpu.run('hlt');
  cpu.state.set32(STATE.interruptShadow, 1);
  deliverInterrupt(cpu, 0x30, 0x1000n);
  assert.equal(cpu.state.get32(STATE.halted), 0);
  assert.equal(cpu.state.get32(STATE.interruptShadow), 0);
});

// --- 32-bit protected mode

function protectedCpu(cpl: 0 | 3): TestCpu {
  const cpu = new TestCpu('protected');
  const { state } = cpu;
  cpu.setDescriptor(GDT, KERNEL_CS, DESCRIPTOR.code32);
  cpu.setDescriptor(GDT, 0x18, DESCRIPTOR.data);
  state.set64(STATE.gdtrBase, BigInt(GDT));
  state.set32(STATE.gdtrLimit, 0xff);
  state.set64(STATE.idtrBase, BigInt(IDT));
  state.set32(STATE.idtrLimit, 0x7ff);
  state.setSegment(TR, 0x40, 0x8b, 0x67, BigInt(TSS));
  cpu.view.setUint32(TSS + 4, 0x6_0000, true);
  cpu.view.setUint16(TSS + 8, 0x18, true);
  for (let vector = 0; vector < 256; vector++) {
    const low = BigInt(0x9000 + vector * 16) | (BigInt(KERNEL_CS) << 16n);
    cpu.view.setBigUint64(IDT + vector * 8, low | (0x8e00n << 32n), true);
  }
  state.setGpr(RSP, STACK);
  state.setFlags(EFLAGS.IF | 2);
  if (cpl === 3) {
    state.cpl = 3;
    state.setSegment(CS, 0x23, 0xc0fb, 0xffff_ffff, 0n);
    state.setSegment(SS, 0x2b, 0xc0f3, 0xffff_ffff, 0n);
  }
  return cpu;
}

function words32(cpu: TestCpu, count: number): number[] {
  const top = Number(cpu.state.gpr(RSP));
  return Array.from({ length: count }, (_, i) => cpu.view.getUint32(top + i * 4, true));
}

test('protected mode: from user code the frame holds SS and ESP, on the stack of the TSS', () => {
  const cpu = protectedCpu(3);
  deliverFault(cpu, new GuestFault(GP, 0x55), 0x1234n);
  const flags = EFLAGS.IF | EFLAGS.RF | 2;
  assert.deepEqual(words32(cpu, 6), [0x55, 0x1234, 0x23, flags, 0x5_0000, 0x2b]);
  assert.equal(cpu.state.gpr(RSP), 0x6_0000n - 24n);
  assert.equal(cpu.state.selector(SS), 0x18);
  assert.equal(cpu.state.cpl, 0);
});

test('protected mode: at the same level three words are pushed', () => {
  const cpu = protectedCpu(0);
  deliverInterrupt(cpu, 0x20, 0x1234n);
  assert.deepEqual(words32(cpu, 3), [0x1234, 0x10, EFLAGS.IF | 2]);
  assert.equal(cpu.state.systemFlags & EFLAGS.IF, 0);
});

test('protected mode: a null stack selector in the TSS is #TS', () => {
  const cpu = protectedCpu(3);
  cpu.view.setUint16(TSS + 8, 0, true);
  assert.equal(deliverInterrupt(cpu, 0x20, 0x1234n), 'shutdown');
  const event = { vector: 0x20, kind: 'external', errorCode: 0, rip: 0n } as const;
  assert.equal(deliver(cpu, event), 'shutdown');
  assert.equal(TS, 10);
});

test('virtual-8086 mode: data segments are saved and become null', () => {
  const cpu = protectedCpu(3);
  const { state } = cpu;
  state.setFlags(EFLAGS.VM | EFLAGS.IF | 2);
  for (let index = 0; index < 6; index++) {
    state.setSegment(index, 0x100 * (index + 1), 0xf3, 0xffff, BigInt(0x1000 * (index + 1)));
  }
  state.setGpr(RSP, 0xffn);
  deliverInterrupt(cpu, 0x20, 0x1234n);
  const flags = EFLAGS.VM | EFLAGS.IF | 2;
  assert.deepEqual(words32(cpu, 9), [
    0x1234,
    0x200,
    flags,
    0xff,
    0x300,
    0x100,
    0x400,
    0x500,
    0x600,
  ]);
  assert.equal(state.selector(3), 0);
  assert.equal(state.systemFlags & EFLAGS.VM, 0);
});

// --- real mode

test('real mode: FLAGS, CS and IP are pushed and the vector table is followed', () => {
  const cpu = new TestCpu('real');
  const { state } = cpu;
  state.setSegment(CS, 0x100, 0x9b, 0xffff, 0x1000n);
  state.setSegment(SS, 0x2000, 0x93, 0xffff, 0x2_0000n);
  state.setGpr(RSP, 0x100n);
  state.setFlags(EFLAGS.IF | EFLAGS.CF | 2);
  cpu.view.setUint32(0x13 * 4, 0xf000_1234, true);
  cpu.run('interrupt', 0x13);
  assert.equal(cpu.redirectedTo, 0x1234n);
  assert.equal(cpu.cs, 0xf000);
  assert.equal(state.segmentBase(CS), 0xf_0000n);
  assert.equal(state.gpr(RSP), 0xfan);
  assert.deepEqual(
    [0, 2, 4].map((at) => cpu.view.getUint16(0x2_00fa + at, true)),
    [0x1002, 0x100, EFLAGS.IF | EFLAGS.CF | 2],
  );
  assert.equal(state.getFlags(), EFLAGS.CF | 2);
});
