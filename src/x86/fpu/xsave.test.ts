import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GP, GuestFault, NM, UD } from '../fault.ts';
import { STATE, xmmOffset } from '../state.ts';
import { SAVE_64BIT_MODE, SAVE_WIDE_POINTERS } from './fxsave.ts';
import { fpuHelpers, initializeFpu } from './mod.ts';
import { stackOffset, statusWord, tagWord } from './registers.ts';
import { TestCpu } from './test-cpu.fixture.ts';

const LONG = SAVE_64BIT_MODE | SAVE_WIDE_POINTERS;
const AT = 0x1000n;

function run(machine: TestCpu, name: string, ...args: unknown[]): void {
  const helper = fpuHelpers[name];
  assert.ok(helper, name);
  helper.run(machine.cpu, ...args);
}

function faults(vector: number, action: () => void): void {
  assert.throws(action, (error) => error instanceof GuestFault && error.vector === vector);
}

/** A machine with CR4.OSXSAVE, three components enabled and every register holding its own pattern. */
function filled(): TestCpu {
  const machine = new TestCpu();
  const { state } = machine;
  initializeFpu(state);
  state.set64(STATE.cr4, 1n << 18n);
  state.set64(STATE.xcr0, 7n);
  state.set32(STATE.mxcsr, 0x1fa0);
  state.set32(STATE.fpuTop, 5);
  state.set32(STATE.fpuValid, 0b1110_0000);
  state.set64(STATE.fpuIp, 0xffff_8000_1234_5678n);
  state.set64(STATE.fpuDp, 0x7f00_0000_1000n);
  state.u8.fill(0x11, STATE.fpr, STATE.fpr + 128);
  for (let i = 0; i < 8; i++) {
    state.u8.fill(0, STATE.fpr + 16 * i + 10, STATE.fpr + 16 * i + 16);
  }
  for (let i = 0; i < 16; i++) state.u8.fill(0x20 + i, xmmOffset(i), xmmOffset(i) + 16);
  for (let i = 0; i < 16; i++) state.u8.fill(0x80 + i, xmmOffset(i) + 16, xmmOffset(i) + 32);
  state.set32(0, 7);
  state.set32(16, 0);
  return machine;
}

const fpuAndVectors = (machine: TestCpu): string =>
  Buffer.from(machine.state.u8.slice(STATE.mxcsr, STATE.xmm + 512)).toString('hex');

test('FXSAVE64 then FXRSTOR64 gives every x87 and XMM field back', () => {
  const machine = filled();
  const before = fpuAndVectors(machine);
  run(machine, 'fxsave', AT, LONG);
  initializeFpu(machine.state);
  machine.state.u8.fill(0, STATE.fpr, STATE.fpr + 128);
  machine.state.set32(STATE.mxcsr, 0);
  for (let i = 0; i < 16; i++) machine.state.u8.fill(0, xmmOffset(i), xmmOffset(i) + 16);
  assert.notEqual(fpuAndVectors(machine), before);
  run(machine, 'fxrstor', AT, LONG);
  assert.equal(fpuAndVectors(machine), before);
});

test('FXSAVE: fields lie where the manual puts them, and bytes 416 to 511 stay', () => {
  const machine = filled();
  machine.memory.fill(0xcc, 0x1000, 0x1200);
  machine.state.u8[stackOffset(machine.state, 0)] = 0x77;
  run(machine, 'fxsave', AT, LONG);
  const view = new DataView(machine.memory.buffer, 0x1000, 512);
  assert.equal(view.getUint16(0, true), 0x37f);
  assert.equal(view.getUint16(2, true), 5 << 11);
  assert.equal(view.getUint16(4, true), 0xe0);
  assert.equal(view.getBigUint64(8, true), 0xffff_8000_1234_5678n);
  assert.equal(view.getUint32(24, true), 0x1fa0);
  assert.equal(view.getUint32(28, true), 0xffff);
  assert.equal(view.getUint8(32), 0x77, 'ST0 comes first whatever the top is');
  assert.equal(view.getUint8(160 + 16), 0x21);
  assert.equal(view.getUint8(416), 0xcc);
});

test('FXSAVE outside 64-bit mode writes eight XMM registers and 32-bit pointers', () => {
  const machine = filled();
  machine.state.set16(STATE.fpuIpSelector, 0x23);
  run(machine, 'fxsave', AT, 0);
  const view = new DataView(machine.memory.buffer, 0x1000, 512);
  assert.equal(view.getUint32(8, true), 0x12345678);
  assert.equal(view.getUint16(12, true), 0x23);
  assert.equal(view.getUint8(160 + 7 * 16), 0x27);
  assert.equal(view.getUint8(160 + 8 * 16), 0);
});

test('FXSAVE and FXRSTOR fault when misaligned, FXRSTOR for reserved MXCSR bits, without effect', () => {
  const machine = filled();
  faults(GP, () => run(machine, 'fxsave', AT + 8n, LONG));
  run(machine, 'fxsave', AT, LONG);
  machine.memory[0x1000 + 26] = 1;
  const before = fpuAndVectors(machine);
  faults(GP, () => run(machine, 'fxrstor', AT, LONG));
  assert.equal(fpuAndVectors(machine), before);
});

test('XSAVE then XRSTOR gives x87, SSE and AVX state back', () => {
  for (const [save, restore] of [
    ['xsave', 'xrstor'],
    ['xsaveopt', 'xrstor'],
    ['xsavec', 'xrstor'],
    ['xsavec', 'xrstors'],
  ] as const) {
    const machine = filled();
    const before = fpuAndVectors(machine);
    run(machine, save, AT, LONG);
    initializeFpu(machine.state);
    machine.state.u8.fill(0, STATE.fpr, STATE.xmm + 512);
    run(machine, restore, AT, LONG);
    assert.equal(fpuAndVectors(machine), before, `${save}, ${restore}`);
  }
});

test('XSAVE writes only the requested components and keeps the other XSTATE_BV bits', () => {
  const machine = filled();
  machine.state.set32(0, 4);
  machine.memory.fill(0xcc, 0x1000, 0x1000 + 512);
  machine.memory[0x1200] = 1;
  run(machine, 'xsave', AT, LONG);
  assert.equal(machine.memory[0x1200], 5);
  assert.equal(machine.memory[0x1000], 0xcc, 'x87 untouched');
  assert.equal(machine.memory[0x1000 + 160], 0xcc, 'XMM untouched');
  assert.equal(machine.memory[0x1000 + 24], 0xa0, 'MXCSR goes with AVX too');
  assert.equal(machine.memory[0x1000 + 576 + 16], 0x81);
});

test('XSAVEOPT and XSAVEC leave components in their initial state out', () => {
  for (const save of ['xsaveopt', 'xsavec']) {
    const machine = filled();
    for (let i = 0; i < 16; i++) machine.state.u8.fill(0, xmmOffset(i) + 16, xmmOffset(i) + 32);
    machine.memory.fill(0xcc, 0x1000 + 576, 0x1000 + 832);
    run(machine, save, AT, LONG);
    assert.equal(machine.memory[0x1200], 3, save);
    assert.equal(machine.memory[0x1000 + 576], 0xcc, save);
  }
});

test('XSAVEC describes its layout and XRSTOR finds the packed region', () => {
  const machine = filled();
  machine.state.set32(0, 5);
  run(machine, 'xsavec', AT, LONG);
  const view = new DataView(machine.memory.buffer, 0x1200, 64);
  assert.equal(view.getBigUint64(0, true), 5n);
  assert.equal(view.getBigUint64(8, true), (1n << 63n) | 5n);
});

test('XRSTOR puts requested components that the area lacks into their initial state', () => {
  const machine = filled();
  machine.memory.fill(0, 0x1000, 0x1400);
  machine.memory[0x1000 + 24] = 0x80;
  machine.memory[0x1000 + 25] = 0x1f;
  run(machine, 'xrstor', AT, LONG);
  assert.equal(machine.state.get16(STATE.fpuControl), 0x37f);
  assert.equal(statusWord(machine.state), 0);
  assert.equal(tagWord(machine.state), 0xffff);
  assert.equal(machine.state.get32(STATE.mxcsr), 0x1f80);
  assert.ok(machine.state.u8.subarray(STATE.fpr, STATE.xmm + 512).every((byte) => byte === 0));
});

test('XRSTOR refuses headers that break the rules', () => {
  const cases: [number, number][] = [
    [0x1200, 0x08], // a component that XCR0 lacks
    [0x1208, 0x01], // XCOMP_BV without bit 63
    [0x1210, 0x01], // reserved
  ];
  for (const [where, value] of cases) {
    const machine = filled();
    machine.memory.fill(0, 0x1000, 0x1400);
    machine.memory[where] = value;
    faults(GP, () => run(machine, 'xrstor', AT, LONG));
  }
  const machine = filled();
  faults(GP, () => run(machine, 'xrstors', AT, LONG));
  faults(GP, () => run(machine, 'xsave', AT + 32n, LONG));
});

test('XSAVE and XGETBV need CR4.OSXSAVE; XSAVE with CR0.TS is #NM', () => {
  const machine = filled();
  machine.state.set64(STATE.cr0, 8n);
  faults(NM, () => run(machine, 'xsave', AT, LONG));
  machine.state.set64(STATE.cr4, 0n);
  faults(UD, () => run(machine, 'xsave', AT, LONG));
  faults(UD, () => run(machine, 'xgetbv', LONG));
});

test('XSETBV takes what goes together and refuses the rest', () => {
  const machine = filled();
  for (const wrong of [0, 2, 5, 0x107]) {
    machine.state.setGpr32(0, wrong);
    faults(GP, () => run(machine, 'xsetbv'));
  }
  machine.state.setGpr32(0, 3);
  run(machine, 'xsetbv');
  assert.equal(machine.state.get64(STATE.xcr0), 3n);
  assert.equal(machine.modeChanges, 1);
  run(machine, 'xgetbv', LONG);
  assert.equal(machine.state.gpr32(0), 3);
});

test('FNSAVE in the 32-bit layout then FRSTOR gives the x87 back, and FNSAVE initialises', () => {
  const machine = filled();
  machine.state.set64(STATE.cr0, 1n);
  machine.state.set64(STATE.fpuIp, 0x1234_5678n);
  machine.state.set64(STATE.fpuDp, 0x1000n);
  const before = fpuAndVectors(machine);
  run(machine, 'fnsave', AT, 1);
  assert.equal(machine.state.get32(STATE.fpuValid), 0);
  assert.equal(statusWord(machine.state), 0);
  run(machine, 'frstor', AT, 1);
  assert.equal(fpuAndVectors(machine), before);
});

test('FNSTENV masks exceptions and shows the computed tags', () => {
  const machine = filled();
  machine.state.set64(STATE.cr0, 1n);
  machine.state.set16(STATE.fpuControl, 0x340);
  machine.state.set64(stackOffset(machine.state, 0), 0n);
  machine.state.set16(stackOffset(machine.state, 0) + 8, 0);
  run(machine, 'fnstenv', AT, 1);
  const view = new DataView(machine.memory.buffer, 0x1000, 28);
  assert.equal(view.getUint32(0, true), 0xffff0340);
  // R5 holds zero; R6 and R7 have no integer bit: special
  assert.equal(view.getUint32(8, true) & 0xffff, 0b10_10_01_11_11_11_11_11);
  assert.equal(machine.state.get16(STATE.fpuControl), 0x37f);
});
