/** Segment registers: MOV, PUSH, POP, far-pointer loads, and their bases in 64-bit mode. */
import type { Value } from '../../ir/mod.ts';
import { UD } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { CS, DS, ES, FS, GS, SEGMENT, SS, STATE, segmentBaseOffset } from '../state.ts';
import { CR4 } from '../system/control-bits.ts';

/** Selector of segment register `index`, i64. */
function selectorOf(b: Semantics, index: number): Value {
  const offset = STATE.segments + index * SEGMENT.bytes + SEGMENT.selector;
  return b.readState({ kind: 'fixed', offset }, 'i64.16u');
}

/** MOV r/m, Sreg: two bytes to memory, zero-extended to a register. SDM Vol. 2B "MOV". */
export const moveFromSegment = define(
  'mov',
  [form('8C /r', 'Ev Sw')],
  (b, [destination, segment]) => {
    const index = b.wrap(segment.read());
    b.if(b.eqz(b.ltU(index, b.i32(6))), () => b.fault(UD));
    const selector = b.widen(b.call('selector', 'i32', index));
    if (destination.kind === 'memory') b.store(destination.address(), 16, selector);
    else destination.write(selector);
  },
);

/** MOV Sreg, r/m16. */
export const moveToSegment = define(
  'mov',
  [form('8E /r', 'Sw Ew', 'shadow')],
  (b, [segment, source]) => {
    b.helper('moveToSegment', b.wrap(segment.read()), b.wrap(source.readUnsigned()));
  },
);

function pushSegment(
  index: number,
  opcode: string,
  ...attributes: ('no64' | 'd64')[]
): Instruction {
  return define('push', [form(opcode, '', ...attributes)], (b) => {
    b.push(b.shape.operandSize, selectorOf(b, index));
  });
}

function popSegment(index: number, opcode: string, ...attributes: ('no64' | 'd64')[]): Instruction {
  return define('pop', [form(opcode, '', 'shadow', ...attributes)], (b) => {
    const size = b.shape.operandSize;
    const selector = b.wrap(b.peek(size));
    b.helper('popSegment', b.i32(index), selector, b.i32(size / 8));
  });
}

/** LDS, LES, LSS, LFS, LGS. SDM Vol. 2A "LDS/LES/LFS/LGS/LSS". */
function loadFarPointer(name: string, index: number, opcode: string, ...attributes: 'no64'[]) {
  return define(name, [form(opcode, 'Gv Mp', ...attributes)], (b, [destination, pointer]) => {
    const size = b.shape.operandSize;
    const { offset, selector } = readFarPointer(b, pointer);
    const register = destination.stateOffset();
    b.helper('loadFarPointer', b.i32(index), selector, register, offset, b.i32(size));
  });
}

/** A far pointer in memory: the offset at the operand size, then the selector. */
export function readFarPointer(b: Semantics, pointer: Operand): { offset: Value; selector: Value } {
  const size = b.shape.operandSize;
  const address = pointer.address();
  const offset = b.load(address, size);
  let behind = b.add(address, b.i64(size / 8));
  if (b.shape.mode !== 64) behind = b.zeroExtend(behind, 32);
  return { offset, selector: b.wrap(b.load(behind, 16)) };
}

/** #UD unless CR4.FSGSBASE. */
function requireFsgsbase(b: Semantics): void {
  const enabled = b.and(b.readField32(STATE.cr4), b.i32(CR4.FSGSBASE));
  b.if(b.eqz(enabled), () => b.fault(UD));
}

/** RDFSBASE, RDGSBASE. SDM Vol. 2B. */
function readBase(name: string, index: number, opcode: string): Instruction {
  return define(name, [form(opcode, 'Ry', 'only64', 'cpuid:fsgsbase')], (b, [destination]) => {
    requireFsgsbase(b);
    destination.write(b.readField(segmentBaseOffset(index)));
  });
}

/** WRFSBASE, WRGSBASE. SDM Vol. 2D. */
function writeBase(name: string, index: number, opcode: string): Instruction {
  return define(name, [form(opcode, 'Ry', 'only64', 'cpuid:fsgsbase')], (b, [source]) => {
    requireFsgsbase(b);
    b.helper('writeSegmentBase', b.i32(index), source.readUnsigned());
  });
}

/** SWAPGS: exchanges the GS base with MSR C0000102. SDM Vol. 2B "SWAPGS". */
export const swapgs = define('swapgs', [form('0F 01 F8', '', 'only64', 'cpl0')], (b) => {
  const base = b.readField(segmentBaseOffset(GS));
  const kernel = b.readField(STATE.kernelGsBase);
  b.writeField(segmentBaseOffset(GS), kernel);
  b.writeField(STATE.kernelGsBase, base);
});

export const systemSegmentInstructions: readonly Instruction[] = [
  moveFromSegment,
  moveToSegment,
  pushSegment(ES, '06', 'no64'),
  pushSegment(CS, '0E', 'no64'),
  pushSegment(SS, '16', 'no64'),
  pushSegment(DS, '1E', 'no64'),
  pushSegment(FS, '0F A0', 'd64'),
  pushSegment(GS, '0F A8', 'd64'),
  popSegment(ES, '07', 'no64'),
  popSegment(SS, '17', 'no64'),
  popSegment(DS, '1F', 'no64'),
  popSegment(FS, '0F A1', 'd64'),
  popSegment(GS, '0F A9', 'd64'),
  loadFarPointer('les', ES, 'C4 /r mod!=3', 'no64'),
  loadFarPointer('lds', DS, 'C5 /r mod!=3', 'no64'),
  loadFarPointer('lss', SS, '0F B2 /r mod!=3'),
  loadFarPointer('lfs', FS, '0F B4 /r mod!=3'),
  loadFarPointer('lgs', GS, '0F B5 /r mod!=3'),
  readBase('rdfsbase', FS, 'F3 0F AE /0'),
  readBase('rdgsbase', GS, 'F3 0F AE /1'),
  writeBase('wrfsbase', FS, 'F3 0F AE /2'),
  writeBase('wrgsbase', GS, 'F3 0F AE /3'),
  swapgs,
];
