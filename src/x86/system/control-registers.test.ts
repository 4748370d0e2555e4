import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EFLAGS } from '../cpu-state.ts';
import { DB, GP, UD } from '../fault.ts';
import { gprOffset, RAX, RCX, RDI, RDX, RSI, RSP, STATE, TR } from '../state.ts';
import { CR0, CR4, EFER } from './control-bits.ts';
import { readFlags } from './flags.ts';
import { faultOf, TestCpu } from './test-cpu.fixture.ts';

function refused(cpu: TestCpu, index: number, value: bigint): boolean {
  const before = cpu.state.u8.slice();
  const fault = faultOf(() => cpu.run('moveToControl', index, value));
  assert.deepEqual(cpu.state.u8, before);
  return fault.vector === GP;
}

test('CR0.PG activates long mode when EFER.LME is set, and needs CR4.PAE', () => {
  const cpu = new TestCpu('protected');
  const { state } = cpu;
  state.set64(STATE.efer, BigInt(EFER.LME));
  const paging = BigInt((CR0.PG | CR0.PE) >>> 0);
  assert.ok(refused(cpu, 0, paging));
  cpu.run('moveToControl', 4, BigInt(CR4.PAE));
  cpu.run('moveToControl', 0, paging);
  assert.equal(state.get32(STATE.efer) & EFER.LMA, EFER.LMA);
  assert.equal(state.get32(STATE.cr0), (CR0.PG | CR0.PE | CR0.ET) >>> 0);
  assert.equal(cpu.redirectedTo, cpu.nextRip());
  assert.ok(cpu.flushes.includes('all') && cpu.flushes.includes('mode'));
  cpu.run('moveToControl', 0, BigInt(CR0.PE));
  assert.equal(state.get32(STATE.efer) & EFER.LMA, 0);
});

test('CR0: combinations that do not exist are #GP', () => {
  const cpu = new TestCpu('protected');
  assert.ok(refused(cpu, 0, BigInt(CR0.PG >>> 0)));
  assert.ok(refused(cpu, 0, BigInt(CR0.NW | CR0.PE)));
  const long = new TestCpu('long');
  assert.ok(refused(long, 0, BigInt(CR0.PE))); // paging off in 64-bit code
  assert.ok(refused(long, 0, 1n << 32n));
});

test('CR4: bits of features that are not announced are #GP', () => {
  const cpu = new TestCpu('long', 'v2,-smap,-umip,-pcid');
  assert.ok(refused(cpu, 4, BigInt(CR4.PAE | CR4.SMAP)));
  assert.ok(refused(cpu, 4, BigInt(CR4.PAE | CR4.UMIP)));
  assert.ok(refused(cpu, 4, BigInt(CR4.PAE | CR4.PCIDE)));
  assert.ok(refused(cpu, 4, 0n)); // PAE cannot go in long mode
  cpu.run('moveToControl', 4, BigInt(CR4.PAE | CR4.SMEP | CR4.PGE));
  assert.ok(cpu.flushes.includes('all'));
});

test('CR3 flushes what is not global, and its reserved bits are #GP', () => {
  const cpu = new TestCpu('long');
  cpu.run('moveToControl', 3, 0x1234_5000n);
  assert.deepEqual(cpu.flushes, ['drop 0']);
  assert.ok(refused(cpu, 3, 1n << 50n));
  assert.ok(refused(cpu, 3, 1n << 63n));
  cpu.run('moveToControl', 4, BigInt(CR4.PAE | CR4.PCIDE));
  cpu.run('moveToControl', 3, (1n << 63n) | 0x5001n);
  assert.equal(cpu.state.cr3, 0x5001n);
});

test('CR8 is the task priority; registers that do not exist are #UD', () => {
  const cpu = new TestCpu('long');
  cpu.run('moveToControl', 8, 5n);
  assert.equal(cpu.interrupts.taskPriority, 5);
  cpu.run('moveFromControl', 8, gprOffset(RAX));
  assert.equal(cpu.state.gpr(RAX), 5n);
  assert.ok(refused(cpu, 8, 16n));
  assert.equal(faultOf(() => cpu.run('moveToControl', 1, 0n)).vector, UD);
});

test('LMSW sets PE but cannot clear it', () => {
  const cpu = new TestCpu('real');
  cpu.run('lmsw', 1);
  assert.equal(cpu.state.get32(STATE.cr0) & 0xf, 1);
  cpu.run('lmsw', 8);
  assert.equal(cpu.state.get32(STATE.cr0) & 0xf, 9);
});

test('debug registers: fixed bits, aliases, general detect', () => {
  const cpu = new TestCpu('long');
  cpu.run('moveToDebug', 7, 0n);
  cpu.run('moveFromDebug', 5, gprOffset(RAX));
  assert.equal(cpu.state.gpr(RAX), 0x400n);
  assert.equal(faultOf(() => cpu.run('moveToDebug', 6, 1n << 32n)).vector, GP);
  cpu.run('moveToDebug', 7, 1n << 13n);
  assert.equal(faultOf(() => cpu.run('moveToDebug', 0, 0n)).vector, DB);
  assert.equal(cpu.state.get32(STATE.dr + 48) & 0x2000, 0x2000);
  cpu.run('moveToDebug', 0, 0n);
  cpu.run('moveToControl', 4, BigInt(CR4.PAE | CR4.DE));
  assert.equal(faultOf(() => cpu.run('moveToDebug', 4, 0n)).vector, UD);
});

test('LGDT reads 10 bytes in 64-bit mode, and 24 bits of base with 16-bit operands', () => {
  const cpu = new TestCpu('long');
  cpu.view.setUint16(0x3000, 0x7f, true);
  cpu.view.setBigUint64(0x3002, 0xffff_8000_1234_5678n, true);
  cpu.run('lgdt', 0x3000n, 64);
  assert.equal(cpu.state.get64(STATE.gdtrBase), 0xffff_8000_1234_5678n);
  assert.equal(cpu.state.get32(STATE.gdtrLimit), 0x7f);
  const real = new TestCpu('real');
  real.view.setUint32(0x3002, 0xff12_3456, true);
  real.run('lidt', 0x3000n, 16);
  assert.equal(real.state.get64(STATE.idtrBase), 0x12_3456n);
});

test('CR4.UMIP hides SGDT from user code', () => {
  const cpu = new TestCpu('long');
  cpu.state.set64(STATE.gdtrBase, 0x1234n);
  cpu.state.cpl = 3;
  cpu.run('sgdt', 0x3000n);
  assert.equal(cpu.view.getBigUint64(0x3002, true), 0x1234n);
  cpu.state.set32(STATE.cr4, CR4.PAE | CR4.UMIP);
  assert.equal(faultOf(() => cpu.run('sgdt', 0x3000n)).vector, GP);
});

test('flags read and written without 64-bit arithmetic agree with the state block', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  for (let bits = 0; bits < 64; bits++) {
    const pick = (bit: number, flag: number): number => ((bits >> bit) & 1 ? flag : 0);
    const flags =
      2 |
      pick(0, EFLAGS.CF) |
      pick(1, EFLAGS.PF) |
      pick(2, EFLAGS.AF) |
      pick(3, EFLAGS.ZF) |
      pick(4, EFLAGS.SF) |
      pick(5, EFLAGS.OF);
    state.setFlags(flags);
    assert.equal(readFlags(state), flags);
    state.setFlags(2);
    cpu.run('popFlags', flags, 64, 64);
    assert.equal(state.getFlags(), flags);
  }
});

test('POPF: user code changes neither IF nor IOPL; 16 bits leave the upper half', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  state.setGpr(RSP, 0x5_0000n);
  state.cpl = 3;
  state.setFlags(EFLAGS.IF | EFLAGS.AC | 2);
  cpu.run('popFlags', EFLAGS.IOPL | EFLAGS.DF, 16, 64);
  assert.equal(state.getFlags(), EFLAGS.IF | EFLAGS.AC | EFLAGS.DF | 2);
  assert.equal(state.gpr(RSP), 0x5_0002n);
  state.cpl = 0;
  cpu.run('popFlags', EFLAGS.IOPL, 64, 64);
  assert.equal(state.getFlags(), EFLAGS.IOPL | 2);
});

test('POPF that enables interrupts asks the engine to look for one', () => {
  const cpu = new TestCpu('long');
  cpu.state.set32(STATE.interruptPending, 0x8000_0000);
  cpu.run('popFlags', EFLAGS.IF, 64, 64);
  assert.equal(cpu.state.get32(STATE.attention), 0x8000_0000);
});

test('STAC, CLAC and POPF move the engine on only when SMAP makes AC matter', () => {
  const cpu = new TestCpu('long');
  cpu.run('setAccessOverride', 1);
  assert.equal(cpu.state.systemFlags & EFLAGS.AC, EFLAGS.AC);
  assert.equal(cpu.redirectedTo, undefined);
  cpu.state.set32(STATE.cr4, CR4.PAE | CR4.SMAP);
  cpu.run('setAccessOverride', 1);
  assert.equal(cpu.redirectedTo, undefined);
  cpu.run('setAccessOverride', 0);
  assert.equal(cpu.redirectedTo, cpu.nextRip());
  cpu.redirectedTo = undefined;
  cpu.run('popFlags', EFLAGS.AC, 64, 64);
  assert.equal(cpu.redirectedTo, cpu.nextRip());
});

test('ports: user code needs IOPL or clear bits in the map of the TSS', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  cpu.portValue = 0x5a;
  state.cpl = 3;
  state.setSegment(TR, 0x40, 0x8b, 0x100, 0x4_0000n);
  cpu.view.setUint16(0x4_0066, 0x68, true);
  cpu.view.setUint8(0x4_0068 + (0x70 >> 3), 0b0000_0100);
  cpu.run('portIn', 0x70, 1);
  assert.equal(state.gpr(RAX), 0x5an);
  assert.equal(faultOf(() => cpu.run('portIn', 0x70, 4)).vector, GP);
  assert.equal(faultOf(() => cpu.run('portOut', 0x4ff, 1)).vector, GP); // limit ends before
  state.setFlags(EFLAGS.IOPL | 2);
  cpu.run('portOut', 0x4ff, 1);
  assert.deepEqual(cpu.portLog, ['in 70 1', 'out 4ff 1 5a']);
});

test('REP OUTS sends element by element and stops at a fault with precise registers', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  state.setGpr(RDX, 0x3f8n);
  state.setGpr(RCX, 4n);
  state.setGpr(RSI, 0x6_fffen);
  cpu.absentPages.add(0x70);
  assert.equal(faultOf(() => cpu.run('outs', 1, 64, 1, STATE.zero)).address, 0x7_0000n);
  assert.deepEqual([state.gpr(RCX), state.gpr(RSI)], [2n, 0x7_0000n]);
  cpu.absentPages.clear();
  cpu.run('outs', 1, 64, 1, STATE.zero);
  assert.equal(cpu.portLog.length, 4);
  assert.equal(state.gpr(RCX), 0n);
});

test('INS checks its destination before it reads the port', () => {
  const cpu = new TestCpu('long');
  cpu.state.setGpr(RDI, 0x7_0000n);
  cpu.absentPages.add(0x70);
  faultOf(() => cpu.run('ins', 1, 64, 0, STATE.zero));
  assert.deepEqual(cpu.portLog, []);
});

test('INVPCID checks its descriptor and flushes by type', () => {
  const cpu = new TestCpu('long');
  cpu.view.setBigUint64(0x3008, 0x1234_5000n, true);
  cpu.run('invpcid', 0n, 0x3000n);
  cpu.run('invpcid', 2n, 0x3000n);
  cpu.run('invpcid', 3n, 0x3000n);
  assert.deepEqual(cpu.flushes, ['page 12345000', 'all', 'non-global']);
  assert.equal(faultOf(() => cpu.run('invpcid', 4n, 0x3000n)).vector, GP);
  cpu.view.setBigUint64(0x3000, 5n, true);
  assert.equal(faultOf(() => cpu.run('invpcid', 1n, 0x3000n)).vector, GP);
});

test('CR4 has the bits of what is announced alone', () => {
  const cpu = new TestCpu('long', 'v2,-de,-pge,-mce,-tsc,-pcid,-umip');
  for (const bit of [CR4.DE, CR4.PGE, CR4.MCE, CR4.TSD, CR4.PCIDE, CR4.UMIP, CR4.VME, CR4.LA57]) {
    const value = BigInt(CR4.PAE | bit);
    assert.equal(faultOf(() => cpu.run('moveToControl', 4, value)).vector, GP, bit.toString(16));
  }
  new TestCpu('long').run('moveToControl', 4, BigInt(CR4.PAE | CR4.DE | CR4.MCE | CR4.TSD));
});
