import { ENDED, type Outcome } from './case.ts';
import { differences, listing } from './compare.ts';
import { dataImage, type GeneratedCase, generateCase } from './generate.ts';
import type { Processor } from './processor.ts';
import type { Template } from './templates.ts';

const BATCH = 2000;
/** How often the host is asked again where it and `processor` differ, and the ticks it then gets, each time twice as many. */
const REPEATS = 5;
const PATIENCE = 100;

/** Cases that differ, of one form (alone) or one sequence. */
export interface Failure {
  readonly label: string;
  readonly first: GeneratedCase;
  readonly lines: readonly string[];
  count: number;
}

export interface HuntOptions {
  /** what is right: the host's processor, or the reference engine */
  readonly native: Processor;
  readonly processor: Processor;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** 64-bit mode, or 32-bit code in compatibility mode */
  readonly bits: 32 | 64;
  /** forms to try in turn */
  readonly templates: readonly Template[];
  /** forms that may stand beside them */
  readonly company: readonly Template[];
  /** makes case `number`, instead of one about a form of `templates` */
  readonly make?: (number: number) => GeneratedCase;
  readonly progress?: (done: number) => void;
}

export interface HuntResult {
  readonly cases: number;
  readonly different: number;
  /** cases that differed until the host was asked again */
  readonly unsteady: number;
  /** forms that the host executed to the end at least once, alone */
  readonly executed: ReadonlySet<Template>;
  /** how often cases ended on the host with each vector (or ENDED) */
  readonly endings: ReadonlyMap<number, number>;
  /** most frequent first; single instructions before sequences */
  readonly failures: readonly Failure[];
}

/** Runs cases natively and on `processor`, and collects how they differ. */
export function hunt(options: HuntOptions): HuntResult {
  const { native, processor, seed, from, count, templates, company, bits } = options;
  const image = dataImage(seed);
  const failures = new Map<string, Failure>();
  const executed = new Set<Template>();
  const endings = new Map<number, number>();
  let different = 0;
  let unsteady = 0;
  for (let done = 0; done < count; done += BATCH) {
    const make = options.make ?? ((number) => generateCase(seed, number, templates, company, bits));
    const cases = Array.from({ length: Math.min(BATCH, count - done) }, (_, i) =>
      make(from + done + i),
    );
    const expected = native.run(cases, image);
    for (const [i, each] of cases.entries()) {
      let outcome = expected[i] as Outcome;
      let lines = judge(native, processor, each, outcome, image);
      // Hypervisors make a program wait that locks memory across cache lines, or give it other flags now and
      // then: what the host does not do again is no answer of its processor.
      for (let i = 0; i < REPEATS && lines.length > 0; i++) {
        outcome = native.run([each], image, PATIENCE << i)[0] as Outcome;
        lines = judge(native, processor, each, outcome, image);
        if (lines.length === 0) unsteady++;
      }
      endings.set(outcome.vector, (endings.get(outcome.vector) ?? 0) + 1);
      if (each.templates.length === 1 && outcome.vector === ENDED) executed.add(each.main);
      if (lines.length === 0) continue;
      different++;
      const label = labelOf(each);
      const failure = failures.get(label);
      if (failure === undefined) failures.set(label, { label, first: each, lines, count: 1 });
      else failure.count++;
    }
    options.progress?.(Math.min(count, done + BATCH));
  }
  const sorted = [...failures.values()].sort(
    (left, right) =>
      left.first.templates.length - right.first.templates.length || right.count - left.count,
  );
  return { cases: count, different, unsteady, executed, endings, failures: sorted };
}

function judge(
  native: Processor,
  processor: Processor,
  each: GeneratedCase,
  expected: Outcome,
  image: Uint8Array,
): string[] {
  let actual: Outcome | undefined;
  try {
    [actual] = processor.run([each], image);
  } catch (error) {
    return [`threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
  return differences(each, expected, actual as Outcome, { image, vendor: native.vendor });
}

function labelOf(each: GeneratedCase): string {
  if (each.templates.length === 1) return each.main.label;
  return `sequence ${each.templates.map(({ instruction }) => instruction.name).join('; ')}`;
}

/**
 * The instructions of a failing case that it takes to fail: the others are overwritten by NOPs, one after
 * the other, as long as the host and `processor` still differ.
 */
export function minimise(
  native: Processor,
  processor: Processor,
  each: GeneratedCase,
  seed: number,
): GeneratedCase {
  const image = dataImage(seed);
  let smallest = each;
  let at = Number(each.state.rip) - each.codeAddress;
  for (const [i, { length }] of each.instructions.entries()) {
    const code = smallest.code.slice();
    code.fill(0x90, at, at + length);
    at += length;
    const instructions = smallest.instructions.with(i, new Uint8Array(length).fill(0x90));
    const candidate = { ...smallest, code, instructions };
    const [expected] = native.run([candidate], image);
    const differs = judge(native, processor, candidate, expected as Outcome, image).length > 0;
    if (differs) smallest = candidate;
  }
  return smallest;
}

/** A failure as text: label, how to repeat it, the instructions and what differs. */
export function describeFailure(failure: Failure, seed: number): string {
  const { label, count, first, lines } = failure;
  return [
    `${label} (${count} ${count === 1 ? 'case' : 'cases'}; --seed ${seed} --case ${first.number})`,
    ...listing(first)
      .split('\n')
      .map((line) => `    ${line}`),
    ...lines.map((line) => `  ${line}`),
  ].join('\n');
}
