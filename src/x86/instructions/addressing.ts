import type { FieldRef, Value } from '../../ir/mod.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { ES, segmentBaseOffset } from '../state.ts';

/**
 * Linear address of `offset` in a segment: cut to the address size, then to 32 bits outside 64-bit mode.
 * Accesses are checked against the segment whose base is the state field `segment`.
 */
export function linearAddress(
  b: Semantics,
  segmentBase: Value,
  offset: Value,
  segment?: FieldRef,
): Value {
  const effective = b.zeroExtend(offset, b.shape.addressSize);
  if (b.isFlat) return effective;
  const linear = b.add(segmentBase, effective);
  if (b.shape.mode === 64) return linear;
  const address = b.zeroExtend(linear, 32);
  return segment === undefined ? address : b.inSegment(address, segment, effective);
}

/** Linear address of `offset` in the effective data segment of an instruction without ModRM (DS:rSI). */
export function dataAddress(b: Semantics, offset: Value): Value {
  const segment = b.slot('segment');
  return linearAddress(b, b.readState(segment, 'i64'), offset, segment);
}

/** Linear address of `offset` in ES, which no prefix overrides. */
export function extraAddress(b: Semantics, offset: Value): Value {
  const segment = { kind: 'fixed', offset: segmentBaseOffset(ES) } as const;
  return linearAddress(b, b.segmentBase(ES), offset, segment);
}

/**
 * Near branches through a register or memory raise #GP on a target that is not canonical before they
 * change anything. SDM Vol. 1, 3.3.7.1. Linear addresses have 48 bits, or 57. Outside 64-bit mode the target must
 * lie in the code segment.
 */
export function checkTarget(b: Semantics, target: Value): void {
  if (b.shape.operandSize !== 64) {
    b.checkCodeLimit(target);
    return;
  }
  const canonical = b.shrS(b.shl(target, b.i64(16)), b.i64(16));
  // With 57 bits more addresses are canonical.
  b.if(b.ne(canonical, target), () => b.helper('checkCanonical', target));
}

/** Linear address `delta` bytes after a memory operand; the effective address wraps at the address size. */
export function movedAddress(b: Semantics, operand: Operand, delta: Value): Value {
  const address = operand.address();
  if (b.shape.mode === 64 && b.shape.addressSize === 64) return b.add(address, delta);
  const offset = operand.offset();
  const moved = b.add(offset, delta);
  return linearAddress(b, b.sub(address, offset), moved, b.segmentOf(address));
}
