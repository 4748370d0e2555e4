/**
 * The usual ways of SYSCALL, SYSRET and IRET: between flat 64-bit segments, with nothing special in the
 * flags. A kernel takes them a hundred thousand times a second. Whatever is not usual goes to the helper,
 * which does the whole instruction.
 */
import type { Value } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import type { Semantics } from '../semantics.ts';
import { CS, DS, ES, FS, GS, gprOffset, RCX, RSP, SEGMENT, SS, STATE } from '../state.ts';
import { EFER } from '../system/control-bits.ts';
import { ATTRIBUTE, FLAT } from '../system/descriptor.ts';
import { allFlags, setAllFlags } from './flag-bits.ts';

const R11 = 11;
const DPL3 = 3 << 5;
const DPL = 3 << 5;
const FLAT_LIMIT = 0xffff_ffff;

/** Descriptors of flat segments that were used before, whole: limit FFFFFH in pages, base 0. */
const DESCRIPTOR = {
  code: 0x00af_9b00_0000_ffffn,
  userCode: 0x00af_fb00_0000_ffffn,
  data: 0x00cf_9300_0000_ffffn,
  userData: 0x00cf_f300_0000_ffffn,
} as const;

/** Flags that change more than how instructions compute. */
const SPECIAL_FLAGS =
  EFLAGS.TF | EFLAGS.NT | EFLAGS.RF | EFLAGS.VM | EFLAGS.VIF | EFLAGS.VIP | EFLAGS.AC;

/** Fields of STATE.tlbs. */
const USER_TLB = STATE.tlbs;
const SUPERVISOR_TLB = STATE.tlbs + 4;
const SUPERVISOR_AC_TLB = STATE.tlbs + 8;

const place = (index: number): number => STATE.segments + index * SEGMENT.bytes;

function setFlatSegment(
  b: Semantics,
  index: number,
  selector: Value,
  attributes: Value,
  limit: Value = b.i32(FLAT_LIMIT | 0),
): void {
  const at = place(index);
  b.writeState({ kind: 'fixed', offset: at + SEGMENT.selector }, 'i32.16u', selector);
  b.writeField32(at + SEGMENT.attributes, attributes);
  b.writeField32(at + SEGMENT.limit, limit);
  b.writeField(at + SEGMENT.base, b.i64(0));
}

/** Not 0 when any of the i32 `flags` is set in `mask`. */
const has = (b: Semantics, flags: Value, mask: number): Value => b.and(flags, b.i32(mask));

/** Not 0 when any of the conditions is not 0. */
function any(b: Semantics, first: Value, ...more: readonly Value[]): Value {
  let result = first;
  for (const condition of more) result = b.or(result, condition);
  return result;
}

/** Interrupts that waited for EFLAGS.IF are looked at when the new flags have it. */
export function wakeInterrupts(b: Semantics, flags: Value): void {
  b.if(has(b, flags, EFLAGS.IF), () => {
    const attention = b.readField32(STATE.attention);
    b.writeField32(STATE.attention, b.or(attention, b.readField32(STATE.interruptPending)));
  });
}

/** SYSCALL from 64-bit code. APM Vol. 3 "SYSCALL". */
export function usualSyscall(b: Semantics): void {
  const flags = b.wrap(allFlags(b));
  const after = b.and(flags, b.not(b.readField32(STATE.sfmask)));
  const unusual = any(
    b,
    b.eqz(has(b, b.readField32(STATE.efer), EFER.SCE)),
    has(b, flags, EFLAGS.TF | EFLAGS.RF),
    has(b, after, SPECIAL_FLAGS),
    b.eqz(b.readField32(SUPERVISOR_TLB)),
  );
  b.if(
    unusual,
    () => b.helper('syscall'),
    () => {
      const selector = b.and(
        b.readState({ kind: 'fixed', offset: STATE.star + 4 }, 'i32.16u'),
        b.i32(0xfffc),
      );
      b.writeField(gprOffset(RCX), b.nextRip());
      b.writeField(gprOffset(R11), b.pure('i64.extend_i32_u', flags));
      setAllFlags(b, after);
      setFlatSegment(b, CS, selector, b.i32(FLAT.CODE64));
      setFlatSegment(b, SS, b.add(selector, b.i32(8)), b.i32(FLAT.DATA));
      b.writeField32(STATE.cpl, b.i32(0));
      b.privilegeChanged();
      b.branch(b.readField(STATE.lstar));
    },
  );
}

/** SYSRET to 64-bit code. APM Vol. 3 "SYSRET". */
export function usualSysret(b: Semantics): void {
  const flags = b.wrap(b.readField(gprOffset(R11)));
  const unusual = any(
    b,
    b.readField32(STATE.cpl),
    b.eqz(has(b, b.readField32(STATE.efer), EFER.SCE)),
    has(b, flags, SPECIAL_FLAGS),
    has(b, b.readField32(STATE.eflags), EFLAGS.TF),
    b.eqz(b.readField32(USER_TLB)),
  );
  b.if(
    unusual,
    () => b.helper('sysret', b.i32(64)),
    () => {
      const base = b.and(
        b.readState({ kind: 'fixed', offset: STATE.star + 6 }, 'i32.16u'),
        b.i32(0xfffc),
      );
      const selector = (add: number): Value => b.or(b.add(base, b.i32(add)), b.i32(3));
      const target = b.readField(gprOffset(RCX));
      setFlatSegment(b, CS, selector(16), b.i32(FLAT.CODE64 | DPL3));
      setFlatSegment(b, SS, selector(8), b.i32(FLAT.DATA | DPL3));
      b.writeField32(STATE.cpl, b.i32(3));
      setAllFlags(b, flags);
      wakeInterrupts(b, flags);
      b.privilegeChanged();
      b.branch(target);
    },
  );
}

/** Not 0 unless `selector` (i64) names the descriptor `expected` in the GDT. */
function differs(b: Semantics, selector: Value, expected: Value): Value {
  const address = b.add(b.readField(STATE.gdtrBase), b.and(selector, b.i64(0xfff8)));
  return b.ne(b.load(address, 64), expected);
}

/** Not 0 when `selector` (i64) lies outside the GDT or in the LDT. */
function outside(b: Semantics, selector: Value): Value {
  const last = b.wrap(b.or(selector, b.i64(7)));
  const limit = b.readState({ kind: 'fixed', offset: STATE.gdtrLimit }, 'i32.16u');
  return b.or(b.ltU(limit, last), b.wrap(b.and(selector, b.i64(4))));
}

/** Not 0 when the data segment may not be kept at level 3 and would become null. */
function isInner(b: Semantics, index: number): Value {
  const attributes = b.readField32(place(index) + SEGMENT.attributes);
  const present = b.ne(has(b, attributes, ATTRIBUTE.PRESENT), b.i32(0));
  return b.and(present, b.ne(has(b, attributes, DPL), b.i32(DPL3)));
}

/** IRETQ at level 0, to level 0 or 3. SDM Vol. 2A "IRET". */
export function usualIret(b: Semantics): void {
  const slow = (): void => b.helper('iret', b.i32(64));
  const before = b.readField32(STATE.eflags);
  b.if(b.or(b.readField32(STATE.cpl), has(b, before, EFLAGS.NT | EFLAGS.TF)), slow, () => {
    const top = b.stackPointer();
    const word = (index: number): Value => b.load(b.add(top, b.i64(8 * index)), 64);
    const rip = word(0);
    const cs = b.and(word(1), b.i64(0xffff));
    const flags = b.wrap(word(2));
    const rsp = word(3);
    const ss = b.and(word(4), b.i64(0xffff));
    const rpl = b.wrap(b.and(cs, b.i64(3)));
    const isUser = b.eq(rpl, b.i32(3));
    // An interrupted supervisor may have had EFLAGS.AC; a user with it is unusual.
    const special = b.select(isUser, b.i32(SPECIAL_FLAGS), b.i32(SPECIAL_FLAGS & ~EFLAGS.AC));
    const isInAc = b.ne(has(b, flags, EFLAGS.AC), b.i32(0));
    const supervisor = b.select(
      isInAc,
      b.readField32(SUPERVISOR_AC_TLB),
      b.readField32(SUPERVISOR_TLB),
    );
    const unusual = any(
      b,
      b.and(b.ne(rpl, b.i32(0)), b.ne(rpl, b.i32(3))),
      b.and(flags, special),
      b.ne(b.wrap(b.and(ss, b.i64(3))), rpl),
      outside(b, cs),
      outside(b, ss),
      b.eqz(b.select(isUser, b.readField32(USER_TLB), supervisor)),
      b.ne(b.shrS(b.shl(rip, b.i64(16)), b.i64(16)), rip),
    );
    b.if(unusual, slow, () => {
      // The supervisor runs with a null SS at times: after an interrupt that changed the level, or from boot.
      const isNull = b.and(b.eqz(ss), b.eqz(isUser));
      const code = b.select(isUser, b.i64(DESCRIPTOR.userCode), b.i64(DESCRIPTOR.code));
      const data = b.select(isUser, b.i64(DESCRIPTOR.userData), b.i64(DESCRIPTOR.data));
      let inner = isInner(b, ES);
      for (const index of [DS, FS, GS]) inner = b.or(inner, isInner(b, index));
      const wrong = any(
        b,
        differs(b, cs, code),
        b.and(b.eqz(isNull), differs(b, ss, data)),
        b.and(isUser, inner),
      );
      b.if(wrong, slow, () => {
        const level = b.select(isUser, b.i32(DPL3), b.i32(0));
        setFlatSegment(b, CS, b.wrap(cs), b.or(level, b.i32(FLAT.CODE64)));
        const unlessNull = (value: Value): Value => b.select(isNull, b.i32(0), value);
        const attributes = unlessNull(b.or(level, b.i32(FLAT.DATA)));
        setFlatSegment(b, SS, b.wrap(ss), attributes, unlessNull(b.i32(FLAT_LIMIT | 0)));
        b.writeField(gprOffset(RSP), rsp);
        b.writeField32(STATE.cpl, rpl);
        setAllFlags(b, flags);
        b.writeField32(STATE.nmiBlocked, b.i32(0));
        wakeInterrupts(b, flags);
        b.privilegeChanged();
        b.branch(rip);
      });
    });
  });
}
