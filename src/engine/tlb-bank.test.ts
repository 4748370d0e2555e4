import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { TlbBank } from './tlb-bank.ts';
import { MODE_64, TARGET, TARGETS, TLB } from './tlb-layout.ts';

const BASE = 4096;
const words = new Int32Array((BASE + TLB.bytes) / 4);
let bank: TlbBank;

beforeEach(() => {
  words.fill(0);
  bank = new TlbBank(words, BASE);
  bank.useMode(MODE_64);
});

/** What targets must have been noted under to count, in a half of the address space. */
const generation = (half: 0 | 1 = 0) => words[((BASE + TLB.generation) >> 2) + half] as number;
const epoch = (half: 0 | 1) => words[((BASE + TLB.epoch) >> 2) + 2 * half] as number;

/** Whether `work` makes the targets noted so far in a half void, and what was found of pages there. */
function forgets(work: () => void, half: 0 | 1 = 0): boolean {
  const before = [generation(half), epoch(half)];
  work();
  const isVoid = generation(half) !== before[0];
  assert.equal(epoch(half) !== before[1], isVoid);
  return isVoid;
}

test('targets are void when the page of one may be elsewhere', () => {
  assert.ok(!forgets(() => bank.fillExecute(0x5000, 0, 64, 8192, false)));
  assert.ok(!forgets(() => bank.flushPage(0x6000, 0)));
  assert.ok(forgets(() => bank.flushPage(0x5000, 0)));
  bank.fillExecute(0x5000, 0, 64, 8192, false);
  assert.ok(forgets(() => bank.flush(true)));
  assert.ok(!forgets(() => bank.flush(true)), 'nothing is there to go');
});

test('targets in a page that gives way to another count until the page is flushed', () => {
  const other = 0x5000 + 4096 * TLB.executeEntries;
  const evict = (global: boolean) => {
    bank.fillExecute(0x5000, 0, 64, 8192, global);
    assert.ok(!forgets(() => bank.fillExecute(other, 0, 64, 8192, true)));
  };
  evict(false);
  assert.ok(forgets(() => bank.flushPage(0x5000, 0)));
  assert.ok(!forgets(() => bank.flushPage(0x5000, 0)));
  evict(false);
  assert.ok(forgets(() => bank.flush(true)));
  evict(true);
  assert.ok(!forgets(() => bank.flush(true)));
  assert.ok(forgets(() => bank.flush(false)));
});

test('a page that is found elsewhere makes targets void, one that is found again does not', () => {
  bank.fillExecute(0x5000, 0, 64, 8192, false);
  assert.ok(!forgets(() => bank.fillExecute(0x5000, 0, 64, 8192, false)));
  assert.ok(forgets(() => bank.fillExecute(0x5000, 0, 64, 12288, false)));
  assert.ok(forgets(() => bank.fillExecute(0x5000, 0, 128, 12288, false)));
  const other = 0x5000 + 4096 * TLB.executeEntries;
  for (const [frame, isVoid] of [
    [12288, false],
    [16384, true],
  ] as const) {
    assert.ok(!forgets(() => bank.fillExecute(other, 0, 64, 8192, false)), 'it gives way');
    assert.equal(
      forgets(() => bank.fillExecute(0x5000, 0, 128, frame, false)),
      isVoid,
    );
  }
});

test('targets in global pages outlive a change of address space', () => {
  bank.fillExecute(0x5000, -1, 64, 8192, true);
  assert.ok(!forgets(() => bank.flush(true), 1));
  assert.ok(forgets(() => bank.flush(false), 1));
});

test('targets in one half of the address space outlive changes in the other', () => {
  bank.fillExecute(0x5000, -1, 64, 8192, false);
  bank.fillExecute(0x6000, 0, 64, 8192, false);
  assert.ok(!forgets(() => bank.flushPage(0x6000, 0), 1));
  assert.ok(!forgets(() => bank.flushPage(0x5000, -1), 0));
  bank.fillExecute(0x5000, -1, 64, 8192, false);
  assert.ok(
    forgets(() => bank.flush(true), 1),
    'it is not global',
  );
  assert.ok(forgets(() => bank.forgetTargets(), 1));
});

test("no epoch of a bank is another bank's", () => {
  const other = new TlbBank(new Int32Array((BASE + TLB.bytes) / 4), BASE);
  const before = epoch(0);
  other.useMode(MODE_64);
  bank.forgetTargets();
  assert.ok(epoch(0) > before + 2);
});

test('outside 64-bit mode no target counts, whatever was noted', () => {
  bank.useMode(1);
  // An entry has no room for such a generation.
  assert.ok(generation() >= TARGET.generations);
  bank.forgetTargets();
  assert.ok(generation() >= TARGET.generations);
  assert.ok(forgets(() => bank.useMode(MODE_64)));
  assert.ok(generation() < TARGET.generations);
});

test('when generations begin anew, nothing of the first ones is left', () => {
  const target = (BASE + TARGETS.at) >> 2;
  const first = generation();
  words[target + TARGET.handler / 4] = first << TARGET.generationShift;
  for (let i = 1; i < TARGET.generations; i++) {
    bank.forgetTargets();
    assert.ok(generation() > 0 && generation() < TARGET.generations);
    if (generation() === first) break;
  }
  assert.equal(generation(), first);
  assert.equal(words[target + TARGET.handler / 4], 0);
});
