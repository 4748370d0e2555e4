import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GP, NP, SSF, TS, UD } from '../fault.ts';
import { CS, DS, ES, FS, GS, RAX, RSP, SS, STATE, TR } from '../state.ts';
import { DESCRIPTOR, faultOf, TestCpu } from './test-cpu.fixture.ts';

const GDT = 0x2_0000;

function protectedCpu(): TestCpu {
  const cpu = new TestCpu('protected');
  const table: bigint[] = [
    0n,
    DESCRIPTOR.code32, // 08
    DESCRIPTOR.data, // 10
    DESCRIPTOR.userData, // 18
    DESCRIPTOR.absentData, // 20
    DESCRIPTOR.readOnlyData, // 28
    DESCRIPTOR.conforming32, // 30
    0x0000_9812_3456_ffffn, // 38: execute-only code
    0x12cf_9234_5678_0fffn, // 40: base 12345678, limit in pages
    DESCRIPTOR.userCode32, // 48
    DESCRIPTOR.data16, // 50
    0x0000_8904_0000_0067n, // 58: available 32-bit TSS at 40000
    0x0000_8205_0000_001fn, // 60: LDT at 50000
    0x0000_ec00_0008_1234n, // 68: call gate, DPL 3, to 08:1234
  ];
  table.forEach((value, i) => {
    cpu.setDescriptor(GDT, i * 8, value);
  });
  cpu.state.set64(STATE.gdtrBase, BigInt(GDT));
  cpu.state.set32(STATE.gdtrLimit, table.length * 8 - 1);
  cpu.state.setGpr(RSP, 0x5_0000n);
  return cpu;
}

function loadFault(cpu: TestCpu, index: number, selector: number): [number, number] {
  const fault = faultOf(() => cpu.run('moveToSegment', index, selector));
  return [fault.vector, fault.errorCode];
}

test('loading a data segment caches base, limit and attributes and marks the descriptor accessed', () => {
  const cpu = protectedCpu();
  cpu.run('moveToSegment', ES, 0x40);
  assert.equal(cpu.state.segmentBase(ES), 0x1234_5678n);
  assert.equal(cpu.state.segmentLimit(ES), 0xf0ff_ffff);
  assert.equal(cpu.state.segmentAttributes(ES), 0xc093);
  assert.equal(cpu.view.getUint8(GDT + 0x45), 0x93);
});

test('data segments: what may not be loaded faults with the selector', () => {
  const cpu = protectedCpu();
  assert.deepEqual(loadFault(cpu, DS, 0x38), [GP, 0x38]); // not readable
  assert.deepEqual(loadFault(cpu, DS, 0x58), [GP, 0x58]); // system descriptor
  assert.deepEqual(loadFault(cpu, DS, 0x13), [GP, 0x10]); // RPL above DPL
  assert.deepEqual(loadFault(cpu, DS, 0x20), [NP, 0x20]);
  assert.deepEqual(loadFault(cpu, DS, 0x1000), [GP, 0x1000]); // beyond the table
  assert.deepEqual(loadFault(cpu, DS, 0x14), [GP, 0x14]); // no LDT
  assert.deepEqual(loadFault(cpu, CS, 0x08), [UD, 0]);
  cpu.state.cpl = 3;
  assert.deepEqual(loadFault(cpu, DS, 0x10), [GP, 0x10]);
  cpu.run('moveToSegment', DS, 0x33); // conforming code ignores privilege
  cpu.run('moveToSegment', DS, 0);
  assert.equal(cpu.state.segmentAttributes(DS), 0);
});

test('the stack segment must be writable and of the same level', () => {
  const cpu = protectedCpu();
  assert.deepEqual(loadFault(cpu, SS, 0), [GP, 0]);
  assert.deepEqual(loadFault(cpu, SS, 0x28), [GP, 0x28]);
  assert.deepEqual(loadFault(cpu, SS, 0x18), [GP, 0x18]);
  assert.deepEqual(loadFault(cpu, SS, 0x20), [SSF, 0x20]);
  cpu.run('moveToSegment', SS, 0x10);
  assert.equal(cpu.state.get32(STATE.interruptShadow), 1);
  assert.equal(cpu.redirectedTo, undefined);
  cpu.run('moveToSegment', SS, 0x50); // a 16-bit stack: the engine must decode afresh
  assert.equal(cpu.redirectedTo, cpu.nextRip());
});

test('64-bit mode: the kernel may load a null SS, user code may not', () => {
  const cpu = new TestCpu('long');
  cpu.run('moveToSegment', SS, 0);
  assert.equal(cpu.state.selector(SS), 0);
  cpu.state.cpl = 3;
  assert.deepEqual(loadFault(cpu, SS, 3), [GP, 0]);
});

test('real mode: the base is the selector times 16 and the limit stays', () => {
  const cpu = new TestCpu('real');
  cpu.state.setSegment(DS, 0, 0x93, 0xffff_ffff, 0n);
  cpu.run('moveToSegment', DS, 0xb800);
  assert.equal(cpu.state.segmentBase(DS), 0xb_8000n);
  assert.equal(cpu.state.segmentLimit(DS), 0xffff_ffff);
});

test('POP of a segment moves the stack pointer only when the load succeeds', () => {
  const cpu = protectedCpu();
  faultOf(() => cpu.run('popSegment', DS, 0x38, 4));
  assert.equal(cpu.state.gpr(RSP), 0x5_0000n);
  cpu.run('popSegment', DS, 0x10, 4);
  assert.equal(cpu.state.gpr(RSP), 0x5_0004n);
});

test('LFS loads the register only when the segment loads', () => {
  const cpu = protectedCpu();
  faultOf(() => cpu.run('loadFarPointer', FS, 0x38, 0, 0x1234n, 32));
  assert.equal(cpu.state.gpr(RAX), 0n);
  cpu.run('loadFarPointer', FS, 0x10, 0, -1n, 32);
  assert.equal(cpu.state.gpr(RAX), 0xffff_ffffn);
});

test('far JMP enters a code segment of the same level, or a conforming one', () => {
  const cpu = protectedCpu();
  cpu.run('farJump', 0x08, 0x1234n, 32);
  assert.equal(cpu.redirectedTo, 0x1234n);
  assert.equal(cpu.cs, 0x08);
  assert.equal(faultOf(() => cpu.run('farJump', 0x48, 0n, 32)).errorCode, 0x48);
  assert.equal(faultOf(() => cpu.run('farJump', 0x10, 0n, 32)).errorCode, 0x10);
  cpu.state.cpl = 3;
  cpu.run('farJump', 0x30, 0x10n, 32);
  assert.equal(cpu.cs, 0x33);
});

test('far CALL pushes CS and the return address', () => {
  const cpu = protectedCpu();
  cpu.run('farCall', 0x08, 0x1234n, 32);
  assert.equal(cpu.state.gpr(RSP), 0x4_fff8n);
  assert.equal(cpu.view.getUint32(0x4_fff8, true), Number(cpu.nextRip()));
  assert.equal(cpu.view.getUint32(0x4_fffc, true), 0x10);
});

test('a call gate raises the privilege and copies nothing but what the gate says', () => {
  const cpu = protectedCpu();
  const { state } = cpu;
  cpu.setDescriptor(GDT, 0x68, 0x0000_ec02_0008_1234n); // two parameters
  state.cpl = 3;
  state.setSegment(CS, 0x4b, 0xc0fb, 0xffff_ffff, 0n);
  state.setSegment(SS, 0x1b, 0xc0f3, 0xffff_ffff, 0n);
  state.setSegment(TR, 0x58, 0x8b, 0x67, 0x4_0000n);
  cpu.view.setUint32(0x4_0004, 0x6_0000, true);
  cpu.view.setUint16(0x4_0008, 0x10, true);
  cpu.view.setUint32(0x5_0000, 0xaaaa, true);
  cpu.view.setUint32(0x5_0004, 0xbbbb, true);
  cpu.run('farCall', 0x6b, 0n, 32);
  assert.equal(state.cpl, 0);
  assert.equal(cpu.redirectedTo, 0x1234n);
  const top = Number(state.gpr(RSP));
  assert.equal(top, 0x6_0000 - 24);
  assert.deepEqual(
    [0, 4, 8, 12, 16, 20].map((at) => cpu.view.getUint32(top + at, true)),
    [Number(cpu.nextRip()), 0x4b, 0xaaaa, 0xbbbb, 0x5_0000, 0x1b],
  );
});

test('LTR marks its descriptor busy and refuses a busy one', () => {
  const cpu = protectedCpu();
  cpu.run('ltr', 0x58);
  assert.equal(cpu.state.segmentBase(TR), 0x4_0000n);
  assert.equal(cpu.view.getUint8(GDT + 0x5d), 0x8b);
  assert.equal(faultOf(() => cpu.run('ltr', 0x58)).errorCode, 0x58);
});

test('LAR, LSL, VERR and VERW answer in ZF by privilege and type', () => {
  const cpu = protectedCpu();
  const zero = (): boolean => cpu.state.get64(STATE.flagZ) === 0n;
  cpu.run('lar', 0x18);
  assert.equal(zero(), true);
  assert.equal(cpu.state.get64(STATE.scratch), 0x00cf_f200n);
  cpu.run('lsl', 0x18);
  assert.equal(cpu.state.get64(STATE.scratch), 0xffff_ffffn);
  cpu.run('verw', 0x28);
  assert.equal(zero(), false);
  cpu.run('verr', 0x28);
  assert.equal(zero(), true);
  cpu.state.cpl = 3;
  cpu.run('verr', 0x10);
  assert.equal(zero(), false);
  cpu.run('lsl', 0);
  assert.equal(zero(), false);
});

test('a task switch saves the old task, loads the new one and links them on CALL', () => {
  const cpu = protectedCpu();
  const { state } = cpu;
  cpu.setDescriptor(GDT, 0x60, 0x0000_890a_0000_0067n); // second TSS at a0000
  cpu.run('farJump', 0x08, 0n, 32);
  for (const index of [ES, SS, DS, FS, GS]) cpu.run('moveToSegment', index, 0x10);
  cpu.run('ltr', 0x58);
  const next = 0xa_0000;
  const put = (at: number, value: number): void => cpu.view.setUint32(next + at, value, true);
  put(0x20, 0x7777); // EIP
  put(0x24, 2);
  put(0x28, 0x1111); // EAX
  put(0x38, 0x8_0000); // ESP
  for (const at of [0x48, 0x50, 0x54, 0x58, 0x5c]) put(at, 0x10);
  put(0x4c, 0x08);
  state.setGpr(RAX, 0x2222n);
  cpu.run('farCall', 0x60, 0n, 32);
  assert.equal(cpu.redirectedTo, 0x7777n);
  assert.equal(state.gpr(RAX), 0x1111n);
  assert.equal(state.gpr(RSP), 0x8_0000n);
  assert.equal(state.selector(TR), 0x60);
  assert.equal(cpu.view.getUint32(0x4_0028, true), 0x2222);
  assert.equal(cpu.view.getUint32(0x4_0020, true), Number(cpu.nextRip()));
  assert.equal(cpu.view.getUint16(next, true), 0x58);
  assert.equal(state.systemFlags & 0x4000, 0x4000); // NT

  cpu.run('iret', 32);
  assert.equal(state.selector(TR), 0x58);
  assert.equal(state.gpr(RAX), 0x2222n);
  assert.equal(cpu.view.getUint8(GDT + 0x65), 0x89); // available again
});

test('a task whose stack segment is null is #TS in the new task', () => {
  const cpu = protectedCpu();
  cpu.setDescriptor(GDT, 0x60, 0x0000_890a_0000_0067n);
  cpu.run('ltr', 0x58);
  cpu.view.setUint32(0xa_004c, 0x08, true);
  assert.equal(faultOf(() => cpu.run('farJump', 0x60, 0n, 32)).vector, TS);
  assert.equal(cpu.state.selector(TR), 0x60);
});
