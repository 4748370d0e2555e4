/** What lets waiting interrupts in although no branch was taken while EFLAGS.IF was set: `STI; NOP; CLI`. */
import type { Value } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';

/**
 * What STI leaves in STATE.interruptShadow, so that the next instruction knows that interrupts still wait:
 * the low half of that instruction's RIP.
 */
export function shadowMark(b: Semantics, rip: Value): Value {
  return b.wrap(rip);
}

/**
 * Not 0 when an interrupt may wait that this instruction, which clears EFLAGS.IF, would keep out: engines
 * look for interrupts at taken branches, and there may have been none. `attention` says so, unless this is
 * the instruction behind STI. The helpers `closeWindow` and `popFlags` then look at it.
 */
export function closesWindow(b: Semantics, flags: Value): Value {
  const open = b.ne(b.and(flags, b.i32(EFLAGS.IF)), b.i32(0));
  const waiting = b.ltS(b.readField32(STATE.attention), b.i32(0));
  const inShadow = b.eq(b.readField32(STATE.interruptShadow), shadowMark(b, b.parameter('rip')));
  return b.and(b.and(open, waiting), b.eqz(inShadow));
}
