import { define, form, type Instruction } from '../form.ts';
import { gprOffset, RSP } from '../state.ts';
import { movedAddress } from './addressing.ts';

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
  b.helper('popFlags', b.wrap(value), b.i32(size), b.i32(b.shape.stackSize));
});

/** POPA, POPAD: all registers but the stack pointer. SDM Vol. 2B "POPA". */
export const popa = define('popa', [form('61', '', 'no64')], (b) => {
  b.helper('popAll', b.i32(b.shape.operandSize), b.i32(b.shape.stackSize));
});

export const popInstructions: readonly Instruction[] = [pop, popMemory, popf, popa];
