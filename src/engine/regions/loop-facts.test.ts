import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FunctionWriter } from '../../wasm/mod.ts';
import { FACT, STATE } from '../../x86/mod.ts';
import type { RegionBlock } from './graph.ts';
import { LoopFacts } from './loop-facts.ts';
import { VectorLocals } from './vector-locals.ts';

const HEAD = { id: 1 } as RegionBlock;
const XMM0 = STATE.xmm;
const XMM1 = STATE.xmm + 32;

/** One emission of a loop that tests both registers and writes XMM1, leaving `end` known of it. */
function pass(
  facts: LoopFacts,
  end: number,
  before = false,
): { tested: number; rounds: boolean[] } {
  const vectors = new VectorLocals(new FunctionWriter(4), 2);
  if (before) vectors.learn(XMM0, FACT.double);
  const assumed = facts.enter(HEAD, vectors.allFacts());
  const missing = vectors.missing(assumed);
  for (const each of missing) vectors.learn(each.offset, each.facts);
  const tested = missing.length;
  vectors.enterLoop(assumed);
  const rounds = [XMM0, XMM1].map((offset) => vectors.knows(offset, FACT.double));
  vectors.write(XMM1, 'f64', () => {});
  vectors.learn(XMM1, end);
  facts.endRound(HEAD, vectors.allFacts());
  facts.want(HEAD, vectors.leaveLoop());
  return { tested, rounds };
}

test('facts that last a round are tested before the loop and not in it', () => {
  const facts = new LoopFacts();
  assert.deepEqual(pass(facts, FACT.double), { tested: 0, rounds: [false, false] });
  assert.ok(facts.again());
  assert.deepEqual(pass(facts, FACT.double), { tested: 2, rounds: [true, true] });
  assert.ok(!facts.again());
});

test('a fact that a round ends without is tested in each round', () => {
  const facts = new LoopFacts();
  pass(facts, 0);
  assert.ok(facts.again());
  pass(facts, 0);
  assert.ok(facts.again(), 'what was assumed of XMM1 does not hold');
  assert.deepEqual(pass(facts, 0), { tested: 1, rounds: [true, false] });
  assert.ok(!facts.again());
});

test('what is known before a loop is neither tested there nor in it', () => {
  const facts = new LoopFacts();
  pass(facts, 0, true);
  assert.ok(facts.again());
  pass(facts, 0, true);
  assert.ok(facts.again());
  assert.deepEqual(pass(facts, 0, true), { tested: 0, rounds: [true, false] });
  assert.ok(!facts.again());
});

test('what is known where ways meet is known on all of them', () => {
  const vectors = new VectorLocals(new FunctionWriter(4), 2);
  vectors.learn(XMM0, FACT.double | FACT.doubles);
  vectors.learn(XMM1, FACT.double);
  const left = vectors.meet(undefined);
  vectors.restore(left);
  vectors.write(XMM1, 'v128', () => {});
  vectors.restore(vectors.meet(left));
  assert.ok(vectors.knows(XMM0, FACT.doubles));
  assert.ok(!vectors.knows(XMM1, FACT.double));
  vectors.forget();
  assert.ok(!vectors.knows(XMM0, FACT.double));
});
