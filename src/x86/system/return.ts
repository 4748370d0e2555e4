/** What IRET and far RET share: the checks of the code and stack segments returned to. */
import type { Cpu } from '../cpu.ts';
import { GP, GuestFault, NP } from '../fault.ts';
import { CS, SS } from '../state.ts';
import {
  ATTRIBUTE,
  attributesOf,
  type Descriptor,
  dplOf,
  limitOf,
  markAccessed,
  readDescriptor,
  selectorFault,
} from './descriptor.ts';
import { inLongMode } from './mode.ts';
import { cacheSegment, checkStackSegment, isNullSelector, nullSegment } from './segments.ts';

/** A code segment that may be returned to. */
export interface ReturnCode {
  readonly selector: number;
  readonly descriptor: Descriptor;
  readonly is64Bit: boolean;
  readonly limit: number;
}

/** Checks the code segment of a return: outward or to the same level, by the selector's RPL. */
export function checkReturnCode(cpu: Cpu, selector: number): ReturnCode {
  const { state } = cpu;
  if (isNullSelector(selector)) throw new GuestFault(GP);
  const descriptor = readDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const kind = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE;
  const rpl = selector & 3;
  const dpl = dplOf(attributes);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const is64Bit = inLongMode(state) && (attributes & ATTRIBUTE.L) !== 0;
  const legal =
    (attributes & kind) === kind &&
    rpl >= state.cpl &&
    (conforming ? dpl <= rpl : dpl === rpl) &&
    !(is64Bit && (attributes & ATTRIBUTE.DB) !== 0);
  if (!legal) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
  return { selector, descriptor, is64Bit, limit: limitOf(descriptor) };
}

export function loadReturnCode(cpu: Cpu, code: ReturnCode): void {
  const attributes = markAccessed(cpu, code.descriptor);
  cacheSegment(cpu.state, CS, code.selector, attributes, code.descriptor);
}

/**
 * Checks and loads the stack segment for privilege level `cpl`. `commit` runs when nothing can fault
 * any more, before SS changes.
 */
export function loadReturnStack(
  cpu: Cpu,
  selector: number,
  cpl: number,
  to64Bit: boolean,
  commit: () => void,
): void {
  const { state } = cpu;
  if (isNullSelector(selector)) {
    if (!to64Bit || cpl === 3 || (selector & 3) !== cpl) throw new GuestFault(GP);
    commit();
    nullSegment(state, SS, selector);
    return;
  }
  const descriptor = checkStackSegment(cpu, selector, cpl);
  const attributes = markAccessed(cpu, descriptor);
  commit();
  cacheSegment(state, SS, selector, attributes, descriptor);
}
