/**
 * Segment and gate descriptors. SDM Vol. 3A, 3.4.5 "Segment Descriptors" and 3.5; APM Vol. 2, 4.7-4.8.
 *
 *    63........56 55 54 53 52  51.....48 47 46.45 44 43...40 39...............16 15........0
 *   +------------+--+--+--+---+---------+--+-----+--+-------+-------------------+-----------+
 *   | base 31:24 |G |DB|L |AVL| lim19:16|P | DPL |S | type  | base 23:0         | limit 15:0|
 *   +------------+--+--+--+---+---------+--+-----+--+-------+-------------------+-----------+
 *
 * The state block keeps bits 55:40 without the limit as "attributes": type 3:0, S 4, DPL 6:5, P 7,
 * AVL 12, L 13, D/B 14, G 15. In long mode LDT and TSS descriptors and gates are 16 bytes.
 */
import type { Cpu } from '../cpu.ts';
import { GP, GuestFault } from '../fault.ts';
import { LDTR, STATE } from '../state.ts';

export const ATTRIBUTE = {
  /** code and data: set when the segment is first loaded */
  ACCESSED: 1 << 0,
  /** data: writable; code: readable */
  READ_WRITE: 1 << 1,
  /** data: expands down; code: conforming */
  CONFORMING: 1 << 2,
  CODE: 1 << 3,
  /** S: code or data, not a system descriptor */
  ORDINARY: 1 << 4,
  PRESENT: 1 << 7,
  L: 1 << 13,
  DB: 1 << 14,
  G: 1 << 15,
} as const;

/** Types of system descriptors (S clear). */
export const SYSTEM = {
  TSS16: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** Attributes of the flat segments that SYSCALL and friends load without reading a descriptor. */
export const FLAT = {
  CODE64: 0xa09b,
  CODE32: 0xc09b,
  DATA: 0xc093,
} as const;

/** A descriptor in memory: its two words and where it lies. */
export interface Descriptor {
  readonly address: bigint;
  readonly low: number;
  readonly high: number;
}

export function attributesOf(descriptor: Descriptor): number {
  return (descriptor.high >>> 8) & 0xf0ff;
}

export function dplOf(attributes: number): number {
  return (attributes >>> 5) & 3;
}

/** Type of a system descriptor, or -1 for code and data. */
export function systemType(attributes: number): number {
  return (attributes & ATTRIBUTE.ORDINARY) !== 0 ? -1 : attributes & 0xf;
}

/** Limit in bytes, granularity applied. */
export function limitOf(descriptor: Descriptor): number {
  const raw = (descriptor.low & 0xffff) | (descriptor.high & 0xf_0000);
  return ((descriptor.high >>> 8) & ATTRIBUTE.G) !== 0 ? ((raw << 12) | 0xfff) >>> 0 : raw;
}

export function baseOf(descriptor: Descriptor): bigint {
  const { low, high } = descriptor;
  return BigInt(((high & 0xff00_0000) | ((high & 0xff) << 16) | (low >>> 16)) >>> 0);
}

/** Linear address of `selector`'s descriptor, or undefined beyond its table. `bytes` is 8 or 16. */
function addressOf(cpu: Cpu, selector: number, bytes: number): bigint | undefined {
  const { state } = cpu;
  const offset = selector & 0xfff8;
  const local = (selector & 4) !== 0;
  if (local && (state.segmentAttributes(LDTR) & ATTRIBUTE.PRESENT) === 0) return undefined;
  const limit = local ? state.segmentLimit(LDTR) : state.get32(STATE.gdtrLimit);
  if (offset + bytes - 1 > limit) return undefined;
  const base = local ? state.segmentBase(LDTR) : state.get64(STATE.gdtrBase);
  return BigInt.asUintN(64, base + BigInt(offset));
}

/** The descriptor of `selector`, or undefined when it lies beyond its table. */
export function findDescriptor(cpu: Cpu, selector: number, bytes = 8): Descriptor | undefined {
  const address = addressOf(cpu, selector, bytes);
  if (address === undefined) return undefined;
  const words = cpu.readLinear(address, 8, 'supervisor');
  return { address, low: Number(words & 0xffff_ffffn), high: Number(words >> 32n) };
}

/** The descriptor of `selector`; faults with `vector` and the selector when there is none. */
export function readDescriptor(
  cpu: Cpu,
  selector: number,
  vector: number = GP,
  external = 0,
): Descriptor {
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === undefined) throw selectorFault(vector, selector, external);
  return descriptor;
}

/** Bits 63:32 of the base of a 16-byte system descriptor. */
export function readUpperBase(cpu: Cpu, descriptor: Descriptor): bigint {
  return cpu.readLinear(descriptor.address + 8n, 4, 'supervisor') << 32n;
}

/** A fault whose error code is a selector. */
export function selectorFault(vector: number, selector: number, external = 0): GuestFault {
  return new GuestFault(vector, (selector & 0xfffc) | external);
}

/** Sets the accessed bit in memory when it is clear; returns the attributes with the bit set. */
export function markAccessed(cpu: Cpu, descriptor: Descriptor): number {
  const attributes = attributesOf(descriptor);
  if ((attributes & ATTRIBUTE.ACCESSED) !== 0) return attributes;
  const typeByte = BigInt((attributes & 0xff) | ATTRIBUTE.ACCESSED);
  cpu.writeLinear(descriptor.address + 5n, 1, typeByte, 'supervisor');
  return attributes | ATTRIBUTE.ACCESSED;
}
