/**
 * Hardware task switches. SDM Vol. 3A, 8.2 "Task Management Data Structures" and 8.3 "Task Switching".
 *
 *   32-bit TSS   1c CR3  20 EIP  24 EFLAGS  28 EAX ECX EDX EBX ESP EBP ESI EDI
 *                48 ES CS SS DS FS GS (4 bytes apart)  60 LDT  64 T bit, I/O map base
 *   16-bit TSS   0e IP  10 FLAGS  12 AX CX DX BX SP BP SI DI  22 ES CS SS DS  2a LDT
 *
 * Long mode has no task switches.
 */
import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GuestFault, NP, TS } from '../fault.ts';
import { reloadPagePointers } from '../paging/page-pointers.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, STATE, TR } from '../state.ts';
import { CR0 } from './control-bits.ts';
import {
  ATTRIBUTE,
  attributesOf,
  baseOf,
  type Descriptor,
  dplOf,
  findDescriptor,
  limitOf,
  markAccessed,
  readDescriptor,
  SYSTEM,
  selectorFault,
  systemType,
} from './descriptor.ts';
import { type CpuEvent, externalBit, hasErrorCode } from './event.ts';
import { readFlags, writeFlags } from './flags.ts';
import { inLongMode } from './mode.ts';
import {
  cacheSegment,
  checkStackSegment,
  isNullSelector,
  loadRealSegment,
  nullSegment,
} from './segments.ts';
import { Stack } from './stack.ts';

type Cause = 'jump' | 'call' | 'iret' | 'event';

const BUSY = 2;
const SEGMENT_ORDER = [ES, CS, SS, DS, FS, GS] as const;

interface Layout {
  readonly bytes: 2 | 4;
  readonly rip: number;
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
  readonly minimumLimit: number;
}

const LAYOUT32: Layout = {
  bytes: 4,
  rip: 0x20,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
  minimumLimit: 0x67,
};
const LAYOUT16: Layout = {
  bytes: 2,
  rip: 0x0e,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
  minimumLimit: 0x2b,
};
const CR3_AT = 0x1c;
const TRAP_AT = 0x64;
const LINK_AT = 0;
/** DR6.BT: the trap came from a task switch */
const DR6_BT = 1 << 15;

function layoutOf(attributes: number): Layout {
  return (systemType(attributes) & 8) !== 0 ? LAYOUT32 : LAYOUT16;
}

/** Far JMP or CALL to a TSS or through a task gate. */
export function switchToTask(cpu: Cpu, selector: number, cause: 'jump' | 'call'): void {
  switchTask(cpu, selector, cause, cpu.nextRip(), 0);
}

/** IRET with EFLAGS.NT: back to the task named by the link of this one. */
export function returnToTask(cpu: Cpu): void {
  const { state } = cpu;
  const link = Number(cpu.readLinear(state.segmentBase(TR) + BigInt(LINK_AT), 2, 'supervisor'));
  switchTask(cpu, link, 'iret', cpu.nextRip(), 0);
}

/** An event through a task gate; its error code goes to the new task's stack. */
export function deliverByTask(cpu: Cpu, event: CpuEvent, selector: number): void {
  switchTask(cpu, selector, 'event', event.rip, externalBit(event));
  if (!hasErrorCode(event)) return;
  const { state } = cpu;
  const stack = Stack.current(cpu);
  stack.push(layoutOf(state.segmentAttributes(TR)).bytes, event.errorCode);
  stack.commit(state);
}

/** Checks that `selector` names a TSS fit for `cause`: available, or busy for IRET. */
function checkTarget(cpu: Cpu, selector: number, cause: Cause, external: number): Descriptor {
  const found = (selector & 4) !== 0 || isNullSelector(selector);
  const descriptor = found ? undefined : findDescriptor(cpu, selector);
  if (descriptor === undefined) throw selectorFault(TS, selector, external);
  const attributes = attributesOf(descriptor);
  const type = systemType(attributes);
  const wanted = cause === 'iret' ? BUSY : 0;
  const isTask = type === (SYSTEM.TSS16 | wanted) || type === (SYSTEM.TSS32 | wanted);
  if (!isTask) throw selectorFault(TS, selector, external);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector, external);
  if (limitOf(descriptor) < layoutOf(attributes).minimumLimit) {
    throw selectorFault(TS, selector, external);
  }
  return descriptor;
}

function switchTask(
  cpu: Cpu,
  selector: number,
  cause: Cause,
  returnRip: bigint,
  external: number,
): void {
  const { state } = cpu;
  if (inLongMode(state)) throw selectorFault(TS, selector, external);
  const target = checkTarget(cpu, selector, cause, external);
  const attributes = attributesOf(target);
  const layout = layoutOf(attributes);
  const base = baseOf(target);
  const image = readTask(cpu, base, layout);

  saveTask(cpu, cause, returnRip);
  const oldSelector = state.selector(TR);
  if (cause === 'jump' || cause === 'iret') setBusy(cpu, oldSelector, false);
  if (cause !== 'iret') setBusy(cpu, selector, true);
  const nested = cause === 'call' || cause === 'event';
  if (nested) cpu.writeLinear(base + BigInt(LINK_AT), 2, BigInt(oldSelector), 'supervisor');

  state.setSegment(TR, selector, attributes | BUSY, limitOf(target), base);
  state.set32(STATE.cr0, state.get32(STATE.cr0) | CR0.TS);
  enterTask(cpu, image, layout, nested, external);
  // The T bit: a debug trap before the first instruction of the task. SDM Vol. 3B, 18.3.1.5.
  if (image.traps) state.set32(STATE.pendingDebug, state.get32(STATE.pendingDebug) | DR6_BT);
}

interface TaskImage {
  readonly cr3: number | undefined;
  readonly rip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  /** the T bit is set */
  readonly traps: boolean;
}

function readTask(cpu: Cpu, base: bigint, layout: Layout): TaskImage {
  const word = (at: number, bytes: number = layout.bytes): number =>
    Number(cpu.readLinear(base + BigInt(at), bytes, 'supervisor'));
  const { bytes, rip } = layout;
  const segmentStep = bytes; // selectors are as far apart as registers
  return {
    cr3: bytes === 4 ? word(CR3_AT) : undefined,
    rip: word(rip),
    flags: word(rip + bytes),
    registers: Array.from({ length: 8 }, (_, index) => word(rip + (2 + index) * bytes)),
    segments: Array.from({ length: layout.segmentCount }, (_, index) =>
      word(layout.segments + index * segmentStep, 2),
    ),
    ldt: word(layout.ldt, 2),
    traps: bytes === 4 && (word(TRAP_AT, 2) & 1) !== 0,
  };
}

/** Stores the running task into its TSS. */
function saveTask(cpu: Cpu, cause: Cause, returnRip: bigint): void {
  const { state } = cpu;
  const layout = layoutOf(state.segmentAttributes(TR));
  const base = state.segmentBase(TR);
  const { bytes, rip } = layout;
  const put = (at: number, value: number | bigint, size: number = bytes): void => {
    const stored = BigInt.asUintN(size * 8, BigInt(value));
    cpu.writeLinear(base + BigInt(at), size, stored, 'supervisor');
  };
  let flags = readFlags(state);
  if (cause === 'iret') flags &= ~EFLAGS.NT;
  put(rip, returnRip);
  put(rip + bytes, flags);
  for (let index = 0; index < 8; index++) put(rip + (2 + index) * bytes, state.gpr(index));
  for (let index = 0; index < layout.segmentCount; index++) {
    put(layout.segments + index * bytes, state.selector(SEGMENT_ORDER[index] as number), 2);
  }
}

function setBusy(cpu: Cpu, selector: number, busy: boolean): void {
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === undefined) return;
  const access = attributesOf(descriptor) & 0xff;
  const next = busy ? access | BUSY : access & ~BUSY;
  cpu.writeLinear(descriptor.address + 5n, 1, BigInt(next), 'supervisor');
}

/** Loads the new task's registers; faults from here on happen in the new task. */
function enterTask(
  cpu: Cpu,
  image: TaskImage,
  layout: Layout,
  nested: boolean,
  external: number,
): void {
  const { state } = cpu;
  const paging = (state.get32(STATE.cr0) & CR0.PG) !== 0;
  if (image.cr3 !== undefined && paging) {
    state.set64(STATE.cr3, BigInt(image.cr3));
    reloadPagePointers(cpu);
    cpu.flushTlb('non-global');
  }
  const upper = layout.bytes === 2 ? 0xffff_0000 : 0;
  image.registers.forEach((value, index) => {
    state.setGpr32(index, (value | upper) >>> 0);
  });
  let flags = image.flags;
  if (nested) flags |= EFLAGS.NT;
  const virtual = layout.bytes === 4 && (flags & EFLAGS.VM) !== 0;
  writeFlags(cpu, virtual ? flags : flags & ~EFLAGS.VM);
  cpu.redirect(BigInt(image.rip));
  for (const index of SEGMENT_ORDER) nullSegment(state, index);
  loadTaskLdt(cpu, image.ldt, external);
  if (virtual) {
    state.cpl = 3;
    SEGMENT_ORDER.forEach((segment, order) => {
      loadRealSegment(state, segment, image.segments[order] as number);
    });
  } else {
    loadTaskSegments(cpu, image, external);
  }
  // Local enables of hardware breakpoints belong to a task.
  const dr7 = STATE.dr + 7 * 8;
  state.set32(dr7, state.get32(dr7) & ~0x55);
  cpu.modeChanged();
  cpu.redirect(BigInt(image.rip));
}

function loadTaskLdt(cpu: Cpu, selector: number, external: number): void {
  const { state } = cpu;
  nullSegment(state, LDTR, selector);
  if (isNullSelector(selector)) return;
  const descriptor = (selector & 4) !== 0 ? undefined : findDescriptor(cpu, selector);
  if (descriptor === undefined) throw selectorFault(TS, selector, external);
  const attributes = attributesOf(descriptor);
  const legal = systemType(attributes) === SYSTEM.LDT && (attributes & ATTRIBUTE.PRESENT) !== 0;
  if (!legal) throw selectorFault(TS, selector, external);
  cacheSegment(state, LDTR, selector, attributes, descriptor);
}

/** Segments of a task that is not in virtual-8086 mode; every failure is #TS, #NP or #SS. */
function loadTaskSegments(cpu: Cpu, image: TaskImage, external: number): void {
  const { state } = cpu;
  const [es, cs, ss, ds, fs, gs] = image.segments as readonly (number | undefined)[];
  const codeSelector = cs as number;
  const cpl = codeSelector & 3;
  state.cpl = cpl;

  const stackSelector = ss as number;
  if (isNullSelector(stackSelector)) throw selectorFault(TS, stackSelector, external);
  const stack = checkStackSegment(cpu, stackSelector, cpl, TS, external);
  cacheSegment(state, SS, stackSelector, markAccessed(cpu, stack), stack);

  if (isNullSelector(codeSelector)) throw new GuestFault(TS, external);
  const code = readDescriptor(cpu, codeSelector, TS, external);
  const attributes = attributesOf(code);
  const kind = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE;
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const dpl = dplOf(attributes);
  const legal = (attributes & kind) === kind && (conforming ? dpl <= cpl : dpl === cpl);
  if (!legal) throw selectorFault(TS, codeSelector, external);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, codeSelector, external);
  cacheSegment(state, CS, codeSelector, markAccessed(cpu, code), code);

  loadTaskData(cpu, ES, es, external);
  loadTaskData(cpu, DS, ds, external);
  loadTaskData(cpu, FS, fs, external);
  loadTaskData(cpu, GS, gs, external);
}

function loadTaskData(
  cpu: Cpu,
  index: number,
  selector: number | undefined,
  external: number,
): void {
  const { state } = cpu;
  if (selector === undefined || isNullSelector(selector)) {
    nullSegment(state, index, selector ?? 0);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, TS, external);
  const attributes = attributesOf(descriptor);
  const code = (attributes & ATTRIBUTE.CODE) !== 0;
  const readable = !code || (attributes & ATTRIBUTE.READ_WRITE) !== 0;
  const conforming = code && (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const dpl = dplOf(attributes);
  const privileged = !conforming && (dpl < state.cpl || dpl < (selector & 3));
  if ((attributes & ATTRIBUTE.ORDINARY) === 0 || !readable || privileged) {
    throw selectorFault(TS, selector, external);
  }
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector, external);
  cacheSegment(state, index, selector, markAccessed(cpu, descriptor), descriptor);
}
