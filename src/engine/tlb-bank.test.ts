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

/** What targets must have been noted under to count. */
const generation = () => words[(BASE + TLB.generation) >> 2] as number;

/** Whether `work` makes the targets noted so far void. */
function forgets(work: () => void): boolean {
  const before = generation();
  work();
  return generation() !== before;
}

test('targets are void when the page of one may be elsewhere', () => {
  assert.ok(!forgets(() => bank.fillExecute(0x5000, 0, 64, 8192, false)));
  assert.ok(!forgets(() => bank.flushPage(0x6000, 0)));
  assert.ok(forgets(() => bank.flushPage(0x5000, 0)));
  bank.fillExecute(0x5000, 0, 64, 8192, false);
  // Another page takes its place.
  assert.ok(
    forgets(() => bank.fillExecute(0x5000 + 4096 * TLB.executeEntries, 0, 64, 8192, false)),
  );
  assert.ok(forgets(() => bank.flush(true)));
  assert.ok(!forgets(() => bank.flush(true)), 'nothing is there to go');
});

test('targets in global pages outlive a change of address space', () => {
  bank.fillExecute(0x5000, -1, 64, 8192, true);
  assert.ok(!forgets(() => bank.flush(true)));
  assert.ok(forgets(() => bank.flush(false)));
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
