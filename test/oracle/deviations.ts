import type { Outcome } from './case.ts';
import type { GeneratedCase } from './generate.ts';

const GP = 13;

/**
 * Differences from the host's processor that are accepted, because processors differ among themselves
 * or because Vivarium says in its documentation that it does it otherwise. Returns the reason.
 */
export function deviation(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
): string | undefined {
  if (expected.vector === GP && actual.vector === GP && !isCanonical(actual.state.rip)) {
    return 'a branch to a non-canonical address faults at its target, not at the branch';
  }
  const faulted = expected.vector >= 0;
  if (faulted && each.templates.some(({ instruction }) => /maskmov/.test(instruction.name))) {
    return 'which byte of MASKMOVDQU faults, and whether a masked-off one does, is up to the processor';
  }
  return undefined;
}

function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}
