/** Loading segment registers, with their checks. SDM Vol. 3A, 5.6 to 5.8; Vol. 2B "MOV". */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault, NP, SSF, UD } from '../fault.ts';
import { segmentsAreFlat } from '../segment-limits.ts';
import { CS, SS, STATE } from '../state.ts';
import {
  ATTRIBUTE,
  attributesOf,
  baseOf,
  type Descriptor,
  dplOf,
  limitOf,
  markAccessed,
  readDescriptor,
  selectorFault,
} from './descriptor.ts';
import { in64BitMode, inRealMode, inVirtual8086 } from './mode.ts';
import { Stack } from './stack.ts';

/** Attributes of every segment register in virtual-8086 mode: writable data, DPL 3, accessed. */
export const VIRTUAL_8086_ATTRIBUTES = 0xf3;

/** Attributes of a segment register that real mode loads after a null selector: writable data, accessed. */
const REAL_ATTRIBUTES = 0x93;

export function isNullSelector(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Fills a segment register from a descriptor whose checks have passed. */
export function cacheSegment(
  state: CpuState,
  index: number,
  selector: number,
  attributes: number,
  descriptor: Descriptor,
): void {
  state.setSegment(index, selector, attributes, limitOf(descriptor), baseOf(descriptor));
}

/** An unusable segment register: not present, base and limit zero. */
export function nullSegment(state: CpuState, index: number, selector = 0): void {
  state.setSegment(index, selector, 0, 0, 0n);
}

/** Sets a segment register the way real mode (and virtual-8086 mode) does: base = selector × 16. */
export function loadRealSegment(state: CpuState, index: number, selector: number): void {
  const base = BigInt(selector * 16);
  if (inVirtual8086(state)) {
    state.setSegment(index, selector, VIRTUAL_8086_ATTRIBUTES, 0xffff, base);
    return;
  }
  // Limit and rights stay, whatever protected mode left there ("unreal mode"), unless there are none.
  const attributes = state.segmentAttributes(index);
  if ((attributes & ATTRIBUTE.PRESENT) !== 0) {
    state.setSegment(index, selector, attributes, state.segmentLimit(index), base);
  } else state.setSegment(index, selector, REAL_ATTRIBUTES, 0xffff, base);
}

/** Checks a stack segment for privilege level `cpl`; returns its descriptor and attributes. */
export function checkStackSegment(
  cpu: Cpu,
  selector: number,
  cpl: number,
  vector: number = GP,
  external = 0,
): Descriptor {
  const descriptor = readDescriptor(cpu, selector, vector, external);
  const attributes = attributesOf(descriptor);
  const writableData =
    (attributes & (ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE | ATTRIBUTE.READ_WRITE)) ===
    (ATTRIBUTE.ORDINARY | ATTRIBUTE.READ_WRITE);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !writableData) {
    throw selectorFault(vector, selector, external);
  }
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(SSF, selector, external);
  return descriptor;
}

/** Loads SS, ES, DS, FS or GS with `selector`. Changes nothing when it faults. */
export function loadSegment(cpu: Cpu, index: number, selector: number): void {
  const { state } = cpu;
  if (inRealMode(state) || inVirtual8086(state)) {
    loadRealSegment(state, index, selector);
  } else if (index === SS) {
    loadStackSegment(cpu, selector);
  } else if (isNullSelector(selector)) {
    nullSegment(state, index, selector);
  } else {
    const descriptor = readDescriptor(cpu, selector);
    checkDataSegment(attributesOf(descriptor), selector, state.cpl);
    cacheSegment(state, index, selector, markAccessed(cpu, descriptor), descriptor);
  }
}

function loadStackSegment(cpu: Cpu, selector: number): void {
  const { state } = cpu;
  const { cpl } = state;
  if (isNullSelector(selector)) {
    if (!in64BitMode(state) || cpl === 3 || (selector & 3) !== cpl) throw new GuestFault(GP);
    nullSegment(state, SS, selector);
    return;
  }
  const descriptor = checkStackSegment(cpu, selector, cpl);
  cacheSegment(state, SS, selector, markAccessed(cpu, descriptor), descriptor);
}

/** Data segments and readable code may be loaded; all but conforming code respect privilege. */
function checkDataSegment(attributes: number, selector: number, cpl: number): void {
  const code = (attributes & ATTRIBUTE.CODE) !== 0;
  const readable = !code || (attributes & ATTRIBUTE.READ_WRITE) !== 0;
  if ((attributes & ATTRIBUTE.ORDINARY) === 0 || !readable) throw selectorFault(GP, selector);
  const conforming = code && (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const dpl = dplOf(attributes);
  if (!conforming && (dpl < cpl || dpl < (selector & 3))) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
}

/** What the mode of decoding depends on in SS, DS and ES: the stack's size, and whether all are flat. */
function segmentMode(state: CpuState): number {
  if (in64BitMode(state)) return 0;
  return (state.segmentAttributes(SS) & ATTRIBUTE.DB) | (segmentsAreFlat(state) ? 1 : 0);
}

/** What follows a load by an instruction: no interrupt after SS before the next one, maybe a new mode. */
function afterLoad(cpu: Cpu, index: number, modeBefore: number): void {
  const { state } = cpu;
  if (index === SS) state.set32(STATE.interruptShadow, 1);
  if (segmentMode(state) !== modeBefore) {
    cpu.modeChanged();
    cpu.redirect(cpu.nextRip());
  }
}

function moveToSegment(cpu: Cpu, index: number, selector: number): void {
  if (index === CS || index > 5) throw new GuestFault(UD);
  const before = segmentMode(cpu.state);
  loadSegment(cpu, index, selector & 0xffff);
  afterLoad(cpu, index, before);
}

/** POP of a segment register: `bytes` leave the stack once the load has succeeded. */
function popSegment(cpu: Cpu, index: number, selector: number, bytes: number): void {
  const before = segmentMode(cpu.state);
  const stack = Stack.current(cpu);
  loadSegment(cpu, index, selector & 0xffff);
  stack.skip(bytes);
  stack.commit(cpu.state);
  afterLoad(cpu, index, before);
}

/** LDS, LES, LFS, LGS, LSS: the segment, then the offset into the general register at `register`. */
function loadFarPointer(
  cpu: Cpu,
  index: number,
  selector: number,
  register: number,
  offset: bigint,
  width: number,
): void {
  const { state } = cpu;
  const before = segmentMode(state);
  loadSegment(cpu, index, selector & 0xffff);
  if (width === 16) state.set16(register, Number(offset & 0xffffn));
  else state.set64(register, BigInt.asUintN(width, offset));
  afterLoad(cpu, index, before);
}

export const segmentHelpers: Record<string, Helper> = {
  moveToSegment: { params: ['i32', 'i32'], run: moveToSegment },
  popSegment: { params: ['i32', 'i32', 'i32'], run: popSegment },
  loadFarPointer: { params: ['i32', 'i32', 'i32', 'i64', 'i32'], run: loadFarPointer },
  /** selector in segment register `index` */
  selector: {
    params: ['i32'],
    result: 'i32',
    run: (cpu, index: number) => cpu.state.selector(index & 7),
  },
};
