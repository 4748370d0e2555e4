/**
 * The text of a decoded guest instruction: name, then operands in the manual's order, destination first.
 * Enough to follow a trace; sizes are said where a memory operand leaves them open.
 */
import { STATE } from '../../x86/mod.ts';
import { shapeOf } from '../shape-key.ts';
import type { RegionInstruction } from './graph.ts';

const NAMES = 'ax cx dx bx sp bp si di'.split(' ');
const LOW = 'al cl dl bl spl bpl sil dil'.split(' ');
const HIGH = ['ah', 'ch', 'dh', 'bh'];
const SEGMENTS = 'es cs ss ds fs gs'.split(' ');
const SLOTS = ['a', 'b', 'c'] as const;
const SIZES: Readonly<Record<number, string>> = {
  8: 'byte',
  16: 'word',
  32: 'dword',
  64: 'qword',
  128: 'xmmword',
  256: 'ymmword',
};

/** A general register by its offset in the state, as `width` bits. */
function register(offset: number, width: number): string {
  const index = offset >> 3;
  if (offset & 1) return HIGH[index] ?? '?';
  if (index >= 8)
    return `r${index}${width === 64 ? '' : width === 32 ? 'd' : width === 16 ? 'w' : 'b'}`;
  if (width === 8) return LOW[index] ?? '?';
  return `${width === 64 ? 'r' : width === 32 ? 'e' : ''}${NAMES[index] ?? '?'}`;
}

function vector(offset: number, length: number | undefined): string {
  return `${length === 256 ? 'ymm' : 'xmm'}${(offset - STATE.xmm) >> 5}`;
}

function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Width of an operand in bits by its size suffix; undefined where the letter alone says it. */
function widthOf(
  size: string,
  operandSize: number,
  vectorLength: number | undefined,
): number | undefined {
  const fixed: Readonly<Record<string, number>> = {
    ...{ b: 8, w: 16, d: 32, q: 64, ss: 32, sd: 64, dq: 128, qq: 256 },
    ...{ v: operandSize, z: Math.min(32, operandSize), y: operandSize === 64 ? 64 : 32 },
    ...{ x: vectorLength ?? 128, ps: vectorLength ?? 128, pd: vectorLength ?? 128 },
  };
  return fixed[size];
}

/** `linear` is the linear address of the region's base page. */
export function assemblyOf(instruction: RegionInstruction, linear: bigint): string {
  const { encoding, operands, shapeKey, at, length } = instruction;
  const shape = shapeOf(shapeKey);
  const { slots, displacement, immediate } = operands;
  let registers = 0;
  const slot = () => slots[SLOTS[registers++] ?? 'c'];

  const memory = (width: number | undefined): string => {
    const parts: string[] = [];
    if (shape.memory === 'offset') parts.push(hex(immediate));
    else if (slots.base === STATE.ripBase || slots.base === STATE.constant4000) {
      // RIP-relative: the displacement counts from the start of the page.
      parts.push('rip-relative');
    } else {
      if (slots.base !== STATE.zero) parts.push(register(slots.base, shape.addressSize));
      if (slots.index !== STATE.zero && shape.memory !== 'bd64') {
        const index =
          slots.index >= STATE.xmm
            ? vector(slots.index, shape.vectorLength)
            : register(slots.index, shape.addressSize);
        parts.push(operands.scale === 0 ? index : `${index}*${1 << operands.scale}`);
      }
    }
    let text = parts.join('+');
    if (shape.memory !== 'offset' && (displacement !== 0 || text === ''))
      text += displacement < 0 || text === '' ? hex(displacement) : `+${hex(displacement)}`;
    const size = width === undefined ? '' : `${SIZES[width] ?? width} `;
    return `${size}[${segmentPrefix(shape.memory, slots.segment)}${text}]`;
  };

  const isMemory = shape.memory !== undefined;
  const texts = encoding.operands.map(({ letter, size }) => {
    const width = widthOf(size, shape.operandSize, shape.vectorLength);
    switch (letter) {
      case 'M':
      case 'O':
        return memory(width);
      case 'E':
      case 'W':
      case 'Q':
        if (isMemory) return memory(width);
        if (letter === 'E') return register(slot(), width ?? shape.operandSize);
        return letter === 'W' ? vector(slot(), shape.vectorLength) : mmx(slot());
      case 'G':
      case 'R':
      case 'B':
      case 'Z':
        return register(slot(), width ?? shape.operandSize);
      case 'V':
      case 'H':
      case 'U':
      case 'L':
        return vector(slot(), shape.vectorLength);
      case 'P':
      case 'N':
        return mmx(slot());
      case 'I':
      case 'A':
        return hex(BigInt.asIntN(64, immediate));
      case 'J':
        return hex(BigInt.asUintN(64, linear + BigInt(instruction.target ?? at + length)));
      case 'i':
        return `st(${slot()})`;
      case 'S':
        return SEGMENTS[slot()] ?? 'segment';
      case 'C':
      case 'D':
        return `${letter.toLowerCase()}r${slot()}`;
      case 'eAX':
        return register(STATE.gpr, shape.operandSize === 16 ? 16 : 32);
      case 'rAX':
        return register(STATE.gpr, shape.operandSize);
      default:
        return letter.toLowerCase();
    }
  });
  const repeat =
    shape.repeat !== 'none' && encoding.attributes.has('rep') ? `${shape.repeat} ` : '';
  return `${repeat}${encoding.instruction.name} ${texts.join(', ')}`.trim();
}

function mmx(offset: number): string {
  return `mm${(offset - STATE.fpr) >> 4}`;
}

function segmentPrefix(kind: string | undefined, slot: number): string {
  if (kind !== 'seg64' && kind !== 'offset') return '';
  const index = (slot - STATE.segments) >> 5;
  return index === 4 || index === 5 ? `${SEGMENTS[index]}:` : '';
}
