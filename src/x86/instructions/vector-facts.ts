import type { Value } from '../../ir/mod.ts';
import { FACT, type Semantics } from '../semantics.ts';
import { denormalLanes, nanLanes, noLane, notDenormal, notNan, twice } from './sse-careful.ts';

/** Conditions (i32) that together mean that `facts` hold of the vector register at state offset `offset`. */
export function factTests(b: Semantics, offset: number, facts: number): Value[] {
  const field = { kind: 'fixed', offset } as const;
  const tests: Value[] = [];
  for (const width of [32, 64] as const) {
    const [one, all] =
      width === 32 ? [FACT.single, FACT.singles] : ([FACT.double, FACT.doubles] as const);
    if ((facts & all) !== 0) {
      const vector = b.readState(field, 'v128');
      tests.push(noLane(b, denormalLanes(b, width, vector), nanLanes(b, width, vector)));
    } else if ((facts & one) !== 0) {
      const doubled = twice(b, width, b.readState(field, width === 32 ? 'i32' : 'i64'));
      tests.push(notDenormal(b, width, doubled), notNan(b, width, doubled));
    }
  }
  return tests;
}
