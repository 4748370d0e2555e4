import { define, form, type Instruction } from '../form.ts';
import { RBP } from '../state.ts';
import { checkTarget } from './addressing.ts';

/** CALL near: pushes the address of the next instruction. SDM Vol. 2A "CALL". */
export const call = define('call', [form('E8 cz', 'Jz', 'd64', 'ends')], (b) => {
  b.checkRelativeTarget();
  b.push(b.shape.operandSize, b.nextRip());
  b.goRelative();
});

export const callIndirect = define('call', [form('FF /2', 'Ev', 'd64', 'ends')], (b, [target]) => {
  const rip = target.read();
  checkTarget(b, rip);
  b.push(b.shape.operandSize, b.nextRip());
  b.branchNear(rip);
});

/** RET near. SDM Vol. 2B "RET". */
export const ret = define('ret', [form('C3', '', 'd64', 'ends')], (b) => {
  const rip = b.peek(b.shape.operandSize);
  checkTarget(b, rip);
  b.drop(b.shape.operandSize / 8);
  b.branchNear(rip);
});

/** RET near that also releases `imm16` bytes of arguments. */
export const retImmediate = define('ret', [form('C2 iw', 'Iw', 'd64', 'ends')], (b, [released]) => {
  const size = b.shape.operandSize;
  const rip = b.peek(size);
  checkTarget(b, rip);
  const above = b.add(b.stackPointer(), b.i64(size / 8));
  b.setStackPointer(b.add(above, released.readUnsigned()));
  b.branchNear(rip);
});

/**
 * ENTER: the immediate holds the frame's size in bits 0 to 15, the nesting level in bits 16 to 23.
 * SDM Vol. 2A "ENTER".
 */
export const enter = define('enter', [form('C8 iw ib', 'Iw Ib', 'd64')], (b) => {
  const immediate = b.wrap(b.parameter('immediate'));
  b.helper('enter', immediate, b.i32(b.shape.operandSize), b.i32(b.shape.stackSize));
});

/** LEAVE: rSP ← rBP, then pops rBP. SDM Vol. 2A "LEAVE". */
export const leave = define('leave', [form('C9', '', 'd64')], (b) => {
  const size = b.shape.operandSize;
  const frame = b.readGprUnsigned(RBP, b.shape.stackSize);
  const saved = b.load(b.stackAddress(frame), size, true);
  b.setStackPointer(b.add(frame, b.i64(size / 8)));
  b.writeGpr(RBP, size, saved);
});

export const callInstructions: readonly Instruction[] = [
  call,
  callIndirect,
  ret,
  retImmediate,
  enter,
  leave,
];
