import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VivariumError } from '../../util/mod.ts';
import { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import { CR4, initialState } from '../system/mod.ts';
import { CpuModel, FEATURE_BITS, LEVELS, parseCpu } from './mod.ts';

function model(cpu = 'v2', cpuCount = 1): CpuModel {
  return new CpuModel({ features: parseCpu(cpu), tscKhz: 2_000_000, apicId: 0, cpuCount });
}

function freshState(): CpuState {
  const state = new CpuState(new ArrayBuffer(STATE.size), 0);
  initialState(state);
  return state;
}

function text(words: readonly number[]): string {
  return words
    .flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff))
    .filter((byte) => byte !== 0)
    .map((byte) => String.fromCharCode(byte))
    .join('');
}

test('vendor, brand and hypervisor spell their names', () => {
  const cpu = model();
  const state = freshState();
  const [, ebx, ecx, edx] = cpu.cpuid(0, 0, state);
  assert.equal(text([ebx, edx, ecx]), 'AuthenticAMD');
  const brand = [2, 3, 4].flatMap((leaf) => [...cpu.cpuid(0x8000_0000 + leaf, 0, state)]);
  assert.match(text(brand), /^Vivarium/);
  assert.equal(text(cpu.cpuid(0x4000_0000, 0, state).slice(1)), 'KVMKVMKVM');
  assert.equal(cpu.cpuid(0x4000_0010, 0, state)[0], 2_000_000);
});

test('every feature of a level is a bit, and only announced ones are', () => {
  const state = freshState();
  for (const level of Object.keys(LEVELS)) {
    const cpu = model(level);
    for (const [name, { leaf, subleaf, register, bit }] of FEATURE_BITS) {
      const index = ['eax', 'ebx', 'ecx', 'edx'].indexOf(register);
      const word = cpu.cpuid(leaf, subleaf, state)[index] as number;
      assert.equal(((word >>> bit) & 1) === 1, cpu.has(name), `${level} ${name}`);
    }
  }
});

test('no two features share a bit', () => {
  const places = [...FEATURE_BITS.values()].map((place) => JSON.stringify(place));
  assert.equal(new Set(places).size, places.length);
});

test('the processor reports level v2 by default', () => {
  const cpu = model();
  for (const name of ['cx16', 'lahf_lm', 'popcnt', 'sse3', 'ssse3', 'sse4_1', 'sse4.2']) {
    assert.ok(cpu.has(name), name);
  }
  assert.equal(cpu.has('avx'), false);
  assert.equal(cpu.has('no such thing'), false);
});

test('the APIC is announced in both leaves while it is enabled', () => {
  let enabled = true;
  const cpu = new CpuModel({
    ...{ features: parseCpu('v2'), tscKhz: 2_000_000, apicId: 0, cpuCount: 1 },
    apicEnabled: () => enabled,
  });
  const bits = (): number[] =>
    [1, 0x8000_0001].map((leaf) => ((cpu.cpuid(leaf, 0, freshState())[3] as number) >>> 9) & 1);
  assert.deepEqual(bits(), [1, 1]);
  enabled = false;
  assert.deepEqual(bits(), [0, 0]);
});

test('OSXSAVE follows CR4, the size of the XSAVE area follows XCR0', () => {
  const cpu = model('v2,+avx');
  const state = freshState();
  assert.equal(((cpu.cpuid(1, 0, state)[2] as number) >>> 27) & 1, 0);
  state.set32(STATE.cr4, CR4.OSXSAVE);
  assert.equal(((cpu.cpuid(1, 0, state)[2] as number) >>> 27) & 1, 1);
  assert.deepEqual(cpu.cpuid(0xd, 0, state), [7, 576, 832, 0]);
  state.set64(STATE.xcr0, 7n);
  assert.equal(cpu.cpuid(0xd, 0, state)[1], 832);
});

test('the core count shows in every leaf that tells it', () => {
  const cpu = model('v2', 4);
  const state = freshState();
  assert.equal(((cpu.cpuid(1, 0, state)[1] as number) >>> 16) & 0xff, 4);
  assert.equal((cpu.cpuid(0x8000_0008, 0, state)[2] as number) & 0xff, 3);
  assert.deepEqual(cpu.cpuid(0xb, 1, state), [2, 4, 0x201, 0]);
});

test('--cpu adds with what is needed, and removes what depends', () => {
  const added = parseCpu('v1,+fma');
  assert.ok(added.has('fma') && added.has('avx') && added.has('ssse3'));
  const removed = parseCpu('max,-xsave');
  assert.ok(!removed.has('avx') && !removed.has('vaes') && !removed.has('xsaves'));
  const plain = parseCpu('max,-sse2');
  for (const name of ['pni', 'sse4_2', 'avx2', 'aes', 'sha_ni']) assert.ok(!plain.has(name), name);
});

test('--cpu refuses what it does not know, in one sentence', () => {
  for (const text of ['486', 'toString', '', 'v2,avx', 'v2,+warp', 'v2,']) {
    assert.throws(
      () => parseCpu(text),
      (error) => error instanceof VivariumError && error.code === 'bad-cpu',
    );
  }
});

test('--cpu keeps what every system needs, in one sentence', () => {
  for (const name of ['fpu', 'msr', 'pae', 'lm'])
    assert.throws(() => parseCpu(`v2,-${name}`), /cannot be taken away/);
});

test('the size of compacted areas is told where there are any', () => {
  const state = freshState();
  state.set64(STATE.xcr0, 7n);
  assert.equal(model('v3').cpuid(0xd, 1, state)[1], 832);
  assert.equal(model('v3,-xsavec').cpuid(0xd, 1, state)[1], 0);
});

test('--cpu refuses to announce what is not there, in one sentence', () => {
  assert.throws(() => parseCpu('v2,+svm'), /"svm" is not there yet$/);
  assert.throws(() => parseCpu('max,+sse4a'), /"sse4a" is not there yet$/);
  assert.ok(!parseCpu('max,-avx2,-svm').has('avx2'), 'taking away what is not there is no error');
});
