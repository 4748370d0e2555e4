import type { Value } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { gprOffset, RSP, STATE } from '../state.ts';
import { movedAddress } from './addressing.ts';
import { allFlags, setAllFlags } from './flag-bits.ts';
import { closesWindow } from './interrupt-window.ts';
import { wakeInterrupts } from './usual-transfer.ts';

const ARITHMETIC = EFLAGS.CF | EFLAGS.PF | EFLAGS.AF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF;

/**
 * POP into a register. The stack pointer moves first, so that POP rSP keeps what was popped.
 * SDM Vol. 2B "POP".
 */
export const pop = define('pop', [form('58+r', 'Zv', 'd64')], (b, [destination]) => {
  const value = b.peek(b.shape.operandSize);
  b.drop(b.shape.operandSize / 8);
  destination.write(value);
});

/** POP into memory: an address based on rSP is computed after the stack pointer has moved. */
export const popMemory = define('pop', [form('8F /0', 'Ev', 'd64')], (b, [destination]) => {
  const size = b.shape.operandSize;
  const value = b.peek(size);
  if (destination.kind === 'register') {
    b.drop(size / 8);
    destination.write(value);
    return;
  }
  const basedOnStack = b.eq(b.fieldOffset(b.slot('base')), b.i32(gprOffset(RSP)));
  const delta = b.select(basedOnStack, b.i64(size / 8), b.i64(0));
  b.store(movedAddress(b, destination, delta), size, value);
  b.drop(size / 8);
});

/** POPF, POPFD, POPFQ: what changes depends on CPL and IOPL. SDM Vol. 2B "POPF". */
export const popf = define('popf', [form('9D', '', 'd64')], (b) => {
  const size = b.shape.operandSize;
  const value = b.peek(size);
  const slow = (): void =>
    b.helper('popFlags', b.wrap(value), b.i32(size), b.i32(b.shape.stackSize));
  if (b.shape.mode !== 64 || size !== 64) slow();
  else usualPopf(b, b.wrap(value), slow);
});

/** POPFQ where neither single-stepping nor the SMAP override changes. */
function usualPopf(b: Semantics, value: Value, slow: () => void): void {
  const before = b.wrap(allFlags(b));
  const changed = b.xor(before, value);
  const unusual = b.or(
    b.and(changed, b.i32(EFLAGS.AC)),
    b.and(b.or(before, value), b.i32(EFLAGS.TF)),
  );
  const closes = b.and(
    b.eqz(b.and(value, b.i32(EFLAGS.IF))),
    closesWindow(b, b.readField32(STATE.eflags)),
  );
  b.if(b.or(unusual, closes), slow, () => {
    const cpl = b.readField32(STATE.cpl);
    const iopl = b.and(b.shrU(before, b.i32(12)), b.i32(3));
    const ofLevel = b.select(
      b.eqz(cpl),
      b.i32(EFLAGS.IF | EFLAGS.IOPL),
      b.select(b.ltU(iopl, cpl), b.i32(0), b.i32(EFLAGS.IF)),
    );
    const mask = b.or(ofLevel, b.i32(ARITHMETIC | EFLAGS.DF | EFLAGS.NT | EFLAGS.ID));
    const after = b.and(b.xor(before, b.and(changed, mask)), b.i32(~EFLAGS.RF));
    setAllFlags(b, after);
    wakeInterrupts(b, after);
    b.drop(8);
  });
}

/** POPA, POPAD: all registers but the stack pointer. SDM Vol. 2B "POPA". */
export const popa = define('popa', [form('61', '', 'no64')], (b) => {
  b.helper('popAll', b.i32(b.shape.operandSize), b.i32(b.shape.stackSize));
});

export const popInstructions: readonly Instruction[] = [pop, popMemory, popf, popa];
