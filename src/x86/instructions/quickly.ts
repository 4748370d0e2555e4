import type { Value } from '../../ir/mod.ts';
import type { Semantics } from '../semantics.ts';

/**
 * Calls a helper that tries to do an instruction (see `Helper.routine`): `then` completes what it has done,
 * `slow` does all of it where the result is 0.
 */
export function quickly(
  b: Semantics,
  routine: string,
  args: readonly Value[],
  slow: () => void,
  then?: (result: Value) => void,
): void {
  const done = b.call(routine, 'i32', ...args);
  if (b.helpersLeave) {
    b.guard([done], slow);
    then?.(done);
  } else if (then === undefined) b.if(b.eqz(done), slow);
  else b.if(done, () => then(done), slow);
}
