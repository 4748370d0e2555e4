import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GP } from '../fault.ts';
import { RAX, RCX, RDX, STATE } from '../state.ts';
import { EFER } from '../system/mod.ts';
import { faultOf, TestCpu } from '../system/test-cpu.fixture.ts';
import { MSRS, readMsr, writeMsr } from './mod.ts';

const EFER_MSR = 0xc000_0080;

test('RDMSR and WRMSR split the value over EDX and EAX', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  state.setGpr(RCX, 0xc000_0082n);
  state.setGpr(RAX, 0x1234_5678n);
  state.setGpr(RDX, 0xffff_ffff_ffff_8000n);
  cpu.run('wrmsr');
  assert.equal(state.get64(STATE.lstar), 0xffff_8000_1234_5678n);
  cpu.run('rdmsr');
  assert.deepEqual([state.gpr(RAX), state.gpr(RDX)], [0x1234_5678n, 0xffff_8000n]);
});

test('an unknown MSR is #GP, those of the machine are asked for', () => {
  const cpu = new TestCpu('long');
  cpu.state.setGpr(RCX, 0x1234n);
  assert.equal(faultOf(() => cpu.run('rdmsr')).vector, GP);
  assert.equal(faultOf(() => cpu.run('wrmsr')).vector, GP);
  assert.equal(readMsr(cpu, 0x4b56_4d00), 42n);
  assert.equal(readMsr(cpu, 0x802), 7n); // x2APIC id
  assert.equal(writeMsr(cpu, 0x80b, 0n), true);
});

test('addresses that are not canonical are refused', () => {
  const cpu = new TestCpu('long');
  for (const index of [0xc000_0082, 0xc000_0100, 0xc000_0101, 0xc000_0102, 0x175, 0x176]) {
    assert.equal(writeMsr(cpu, index, 1n << 47n), false, index.toString(16));
    assert.equal(writeMsr(cpu, index, 0xffff_8000_0000_0000n), true);
  }
});

test('EFER: LMA cannot be written, LME not under paging, unannounced bits not at all', () => {
  const cpu = new TestCpu('long');
  assert.equal(writeMsr(cpu, EFER_MSR, BigInt(EFER.SCE)), false); // would clear LME
  assert.equal(writeMsr(cpu, EFER_MSR, BigInt(EFER.LME | EFER.SCE)), true);
  assert.equal(cpu.state.get32(STATE.efer), EFER.LME | EFER.LMA | EFER.SCE);
  assert.ok(cpu.flushes.includes('all')); // NXE changed
  assert.equal(writeMsr(cpu, EFER_MSR, BigInt(EFER.LME | EFER.SVME)), false);
});

test('the TSC and its adjustment move together', () => {
  const cpu = new TestCpu('long');
  cpu.tsc = 1000n;
  assert.equal(writeMsr(cpu, 0x10, 5000n), true);
  assert.equal(readMsr(cpu, 0x10), 5000n);
  assert.equal(readMsr(cpu, 0x3b), 4000n);
  writeMsr(cpu, 0x3b, 0n);
  assert.equal(readMsr(cpu, 0x10), 1000n);
  assert.equal(cpu.run('readTsc'), 1000n);
});

test('MTRRs and PAT refuse memory types that do not exist', () => {
  const cpu = new TestCpu('long');
  assert.equal(writeMsr(cpu, 0x277, 0x0007_0406_0007_0405n), true);
  assert.equal(writeMsr(cpu, 0x277, 0x0007_0406_0007_0402n), false);
  assert.equal(writeMsr(cpu, 0x2ff, 0xc06n), true);
  assert.equal(writeMsr(cpu, 0x2ff, 0xc02n), false);
  assert.equal(writeMsr(cpu, 0x20f, 0xffff_c000_0800n), true);
  assert.equal(writeMsr(cpu, 0x20f, 1n << 50n), false);
  assert.equal(readMsr(cpu, 0x20f), 0xffff_c000_0800n);
  assert.equal(writeMsr(cpu, 0xfe, 0n), false);
});

test('registers of features that are not announced are not there', () => {
  const cpu = new TestCpu('long', 'v2,-rdtscp,-tsc_deadline_timer');
  assert.equal(readMsr(cpu, 0xc000_0103), undefined);
  assert.equal(readMsr(cpu, 0x6e0), undefined);
  const bare = new TestCpu('long', 'v2,-sep,-syscall,-tsc,-x2apic');
  for (const index of [0x10, 0x3b, 0x174, 0xc000_0081, 0xc000_0082])
    assert.equal(readMsr(bare, index), undefined, index.toString(16));
  assert.equal(writeMsr(bare, 0x1b, 0xfee0_0d00n), false, 'there is no x2APIC to turn on');
  assert.equal(writeMsr(bare, 0x1b, 0xfee0_0900n), true);
});

test('every state field behind an MSR lies in the state block', () => {
  const cpu = new TestCpu('long');
  for (const [index, register] of MSRS) {
    assert.equal(typeof register.read(cpu), 'bigint', `${register.name} ${index.toString(16)}`);
  }
});

test('machine-check banks are always clear, and their controls are all or nothing', () => {
  const cpu = new TestCpu('long');
  const banks = Number((readMsr(cpu, 0x179) as bigint) & 0xffn);
  assert.ok(banks > 0);
  assert.equal(writeMsr(cpu, 0x179, 0n), false);
  for (let bank = 0; bank < banks; bank++) {
    const first = 0x400 + 4 * bank;
    assert.equal(writeMsr(cpu, first, BigInt.asUintN(64, -1n)), true);
    assert.equal(readMsr(cpu, first), BigInt.asUintN(64, -1n));
    assert.equal(writeMsr(cpu, first, 5n), false);
    assert.equal(readMsr(cpu, first + 1), 0n);
    assert.equal(writeMsr(cpu, first + 1, 0n), true);
    assert.equal(writeMsr(cpu, first + 1, 1n), false);
  }
  assert.equal(readMsr(cpu, 0x400 + 4 * banks), undefined);
  assert.equal(readMsr(new TestCpu('long', 'v2,-mca'), 0x179), undefined);
});

test('performance counters read as zero, where RDPMC may read them', () => {
  const cpu = new TestCpu('long');
  const { state } = cpu;
  writeMsr(cpu, 0xc001_0004, 77n);
  assert.equal(readMsr(cpu, 0xc001_0004), 0n);
  state.setGpr(RAX, 5n);
  cpu.run('rdpmc');
  assert.deepEqual([state.gpr(RAX), state.gpr(RDX)], [0n, 0n]);
  state.setGpr(RCX, 4n);
  assert.equal(faultOf(() => cpu.run('rdpmc')).vector, GP);
  state.setGpr(RCX, 0n);
  state.cpl = 3;
  assert.equal(faultOf(() => cpu.run('rdpmc')).vector, GP);
});
