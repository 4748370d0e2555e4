import type { Outcome } from './case.ts';
import type { GeneratedCase } from './generate.ts';

const GP = 13;
const AC = 17;
const XM = 19;

/**
 * Differences from the host's processor that are accepted, because processors differ among themselves
 * or because Vivarium says in its documentation that it does it otherwise. Returns the reason.
 */
export function deviation(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
): string | undefined {
  if (expected.vector === AC) return 'accesses are not checked for alignment (EFLAGS.AC)';
  const faulted = expected.vector >= 0;
  if (faulted && each.templates.some(({ instruction }) => /maskmov/.test(instruction.name))) {
    return 'which byte of MASKMOVDQU faults, and whether a masked-off one does, is up to the processor';
  }
  const conversion = /^cvtt?(pi2p[sd]|p[sd]2pi)$/;
  if (
    expected.vector === XM &&
    actual.vector === XM &&
    each.templates.some(({ instruction }) => conversion.test(instruction.name))
  ) {
    return 'whether #XM of an MMX conversion comes before the change to MMX state is not specified';
  }
  if (expected.vector === GP && actual.vector === GP && !isCanonical(actual.state.rip)) {
    return 'a branch to a non-canonical address faults at its target, not at the branch';
  }
  return undefined;
}

function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}
