/**
 * Random instructions of every form on the host's own processor and on our engines: registers, defined
 * flags, memory, faults. `node test/oracle/fuzz.ts` runs as many as one likes.
 *
 * VIVARIUM_ORACLE_SEED=N takes other cases.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions } from '../../src/x86/mod.ts';
import { type EngineName, EngineProcessor } from './engine-processor.ts';
import { describeFailure, hunt } from './hunt.ts';
import { skipReason } from './knowledge.ts';
import { NativeProcessor } from './native-processor.ts';
import { generateRawCase } from './raw.ts';
import { type Template, templatesOf } from './templates.ts';

const native = NativeProcessor.open();
const skip = typeof native === 'string' ? native : false;
const features = typeof native === 'string' ? new Set<string>() : native.features;
const seed = Number(process.env['VIVARIUM_ORACLE_SEED'] ?? 1);

const all = templatesOf(instructions);
const usable = {
  32: all.filter((each) => skipReason(each, features, 32) === undefined),
  64: all.filter((each) => skipReason(each, features, 64) === undefined),
};

/** Engines are made once: each compiles handlers for what it meets. */
const engines = new Map<EngineName, EngineProcessor>();

function engine(name: EngineName): EngineProcessor {
  const made = engines.get(name) ?? new EngineProcessor(name);
  engines.set(name, made);
  return made;
}

interface Choice {
  readonly bits?: 32 | 64;
  /** random bytes instead of instructions made from the forms */
  readonly raw?: boolean;
}

function runOn(name: EngineName, from: number, count: number, { bits = 64, raw }: Choice = {}) {
  assert.ok(typeof native !== 'string');
  const make = (number: number) => generateRawCase(seed, number, features, bits);
  const result = hunt({
    native,
    processor: engine(name),
    seed,
    from,
    count,
    bits,
    templates: usable[bits],
    company: usable[bits],
    ...(raw === true ? { make } : {}),
  });
  const shown = result.failures.slice(0, 10).map((each) => describeFailure(each, seed));
  assert.equal(
    result.different,
    0,
    `seed ${seed}: ${result.different} of ${result.cases} cases differ in ` +
      `${result.failures.length} ways\n${shown.join('\n')}`,
  );
  return result;
}

/** Forms of which every execution at level 3 faults. */
function alwaysFaults({ instruction, form }: Template): boolean {
  return (
    form.attributes.includes('cpl0') ||
    /^(ud\d|int3?|cli|sti|clac|stac|in|out|ins|outs|insb|outsb)$/.test(instruction.name)
  );
}

test('handlers do what the host processor does in 65,000 random cases over every form', {
  skip,
}, (t) => {
  const { executed, endings } = runOn('handlers', 0, 65_000);
  t.diagnostic(`seed ${seed}; ${usable[64].length} forms; endings ${JSON.stringify([...endings])}`);
  const never = usable[64].filter((each) => !executed.has(each) && !alwaysFaults(each));
  assert.deepEqual(
    never.map(({ label }) => label),
    [],
    'every form that can run to its end does so at least once',
  );
  for (const vector of [0, 3, 6, 13, 14, 16, 19]) {
    assert.ok((endings.get(vector) ?? 0) > 0, `no case ended in exception ${vector}`);
  }
});

test('32-bit code in compatibility mode does what it does on the host', { skip }, () => {
  runOn('handlers', 0, 15_000, { bits: 32 });
  runOn('reference', 30_000, 5_000, { bits: 32 });
});

test('random bytes are the same instructions as on the host, of the same length, or none', {
  skip,
}, () => {
  runOn('handlers', 0, 8_000, { raw: true });
  runOn('handlers', 0, 6_000, { raw: true, bits: 32 });
});

test('the reference engine does what the host processor does in 8,000 random cases', {
  skip,
}, () => {
  runOn('reference', 80_000, 8_000);
});

test('translated from its first execution, code does what it does on the host in 12,000 cases', {
  skip,
}, () => {
  runOn('regions', 110_000, 12_000);
});

test('forms that no program can run natively are few, and each has a reason', { skip }, (t) => {
  const reasons = new Map<string, string[]>();
  for (const each of all) {
    const reason = skipReason(each, features);
    if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), each.label]);
  }
  for (const [reason, labels] of reasons) t.diagnostic(`${reason}: ${labels.join(', ')}`);
  assert.ok(
    usable[64].length > 0.8 * all.length,
    `${usable[64].length} of ${all.length} forms run`,
  );
});
