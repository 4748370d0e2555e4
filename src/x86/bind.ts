import type { FieldRef, Slot, Value } from '../ir/mod.ts';
import type { Encoding, OperandLetter } from './encoding.ts';
import {
  ImmediateOperand,
  MemoryOperand,
  NumberOperand,
  OneOperand,
  type Operand,
  RegisterOperand,
  TargetOperand,
} from './operand.ts';
import type { Semantics } from './semantics.ts';
import type { Shape } from './shape.ts';
import { gprOffset, RAX, RCX, RDX } from './state.ts';

const REGISTER_SLOTS: readonly Slot[] = ['a', 'b', 'c', 'base'];

/** Width in bits of a size suffix under `shape`. */
export function operandWidth(size: string, shape: Shape): number {
  switch (size) {
    case 'b':
      return 8;
    case 'w':
      return 16;
    case 'd':
    case 'ss':
      return 32;
    case 'q':
    case 'sd':
      return 64;
    case 'v':
      return shape.operandSize;
    case 'z':
      return shape.operandSize === 16 ? 16 : 32;
    case 'y':
      return shape.operandSize === 64 ? 64 : 32;
    case 'dq':
    case 'x':
    case 'ps':
    case 'pd':
      return 128;
    case 'qq':
      return 256;
    default:
      return shape.operandSize;
  }
}

/**
 * The typed operands of `encoding` over builder `b`, in the order of the form's letters. Register
 * operands take the record's slots in that order, as the decoder fills them.
 */
export function bindOperands(b: Semantics, encoding: Encoding): Operand[] {
  let registers = 0;
  const slot = (): FieldRef => b.slot(REGISTER_SLOTS[registers++] as Slot);
  return encoding.operands.map((operand) => bindOne(b, encoding, operand, slot));
}

function bindOne(
  b: Semantics,
  encoding: Encoding,
  { letter, size }: OperandLetter,
  slot: () => FieldRef,
): Operand {
  const shape = b.shape;
  const isMemory = shape.memory !== undefined;
  switch (letter) {
    case 'E':
      if (isMemory) return memoryOperand(b, operandWidth(size, shape));
      return new RegisterOperand(b, operandWidth(size, shape), slot());
    case 'W':
    case 'Q':
      if (isMemory) return memoryOperand(b, operandWidth(size, shape));
      return new RegisterOperand(
        b,
        operandWidth(size, shape),
        slot(),
        letter === 'W' ? 'vector' : 'mmx',
      );
    case 'M':
      if (encoding.attributes.has('vsib')) return vectorIndexed(b, operandWidth(size, shape));
      return memoryOperand(b, operandWidth(size, shape));
    case 'O':
      return memoryOperand(b, operandWidth(size, shape));
    case 'G':
    case 'R':
    case 'B':
    case 'Z':
      return new RegisterOperand(b, operandWidth(size, shape), slot());
    case 'V':
    case 'H':
    case 'U':
    case 'L':
      return new RegisterOperand(b, operandWidth(size, shape), slot(), 'vector');
    case 'P':
    case 'N':
      return new RegisterOperand(b, operandWidth(size, shape), slot(), 'mmx');
    case 'I':
    case 'A':
      return new ImmediateOperand(b, letter === 'A' ? 64 : operandWidth(size, shape));
    case 'J':
      return new TargetOperand(b, shape.operandSize);
    case 'S':
    case 'C':
    case 'D':
    case 'i':
      return new NumberOperand(b, 64);
    case '1':
      return new OneOperand(b, 8);
    case 'AL':
      return new RegisterOperand(b, 8, { kind: 'fixed', offset: gprOffset(RAX) });
    case 'AH':
      return new RegisterOperand(b, 8, { kind: 'fixed', offset: gprOffset(RAX) + 1 });
    case 'CL':
      return new RegisterOperand(b, 8, { kind: 'fixed', offset: gprOffset(RCX) });
    case 'AX':
      return new RegisterOperand(b, 16, { kind: 'fixed', offset: gprOffset(RAX) });
    case 'DX':
      return new RegisterOperand(b, 16, { kind: 'fixed', offset: gprOffset(RDX) });
    case 'eAX':
      return new RegisterOperand(b, shape.operandSize === 16 ? 16 : 32, {
        kind: 'fixed',
        offset: gprOffset(RAX),
      });
    case 'rAX':
      return new RegisterOperand(b, shape.operandSize, { kind: 'fixed', offset: gprOffset(RAX) });
    default:
      throw new Error(
        `Vivarium internal error: ${encoding.instruction.name}: operand letter ${letter}`,
      );
  }
}

/** Forms the address of the memory operand: segment base + (base + index × scale + displacement). */
function memoryOperand(b: Semantics, width: number): MemoryOperand {
  const shape = b.shape;
  const kind = shape.memory;
  const field = (slot: Slot): Value => b.readState(b.slot(slot), 'i64');
  if (kind === 'offset') {
    const offset = b.zeroExtend(b.parameter('immediate'), shape.addressSize);
    return new MemoryOperand(b, width, offset, segmented(b, offset));
  }
  let offset = b.add(field('base'), b.parameter('displacement'));
  if (kind === 'bd64') return new MemoryOperand(b, width, offset, offset);
  const scaled = b.shl(field('index'), b.pure('i64.extend_i32_u', b.parameter('scale')));
  offset = b.add(offset, scaled);
  if (kind === 'bis64') return new MemoryOperand(b, width, offset, offset);
  if (kind === 'seg32') offset = b.zeroExtend(offset, 32);
  else if (kind === 'seg16') offset = b.zeroExtend(offset, 16);
  return new MemoryOperand(b, width, offset, segmented(b, offset));
}

/** Linear address of `offset` in the operand's segment. */
function segmented(b: Semantics, offset: Value): Value {
  if (b.isFlat) return offset;
  const segment = b.slot('segment');
  const linear = b.add(b.readState(segment, 'i64'), offset);
  return b.shape.mode === 64 ? linear : b.inSegment(b.zeroExtend(linear, 32), segment, offset);
}

/** A memory operand with a vector index: its offset is base + displacement, which the meaning goes on from. */
function vectorIndexed(b: Semantics, width: number): MemoryOperand {
  const offset = b.add(b.readState(b.slot('base'), 'i64'), b.parameter('displacement'));
  return new MemoryOperand(b, width, offset, offset);
}
