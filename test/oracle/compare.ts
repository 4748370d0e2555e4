import { forgiveLastPlaces } from './approximate.ts';
import { ENDED, type Outcome, TIMED_OUT } from './case.ts';
import { deviation, reachesFar } from './deviations.ts';
import type { GeneratedCase } from './generate.ts';
import { asOnIntel, forgiveIntel, intelDeviation } from './intel-deviations.ts';
import { DATA_ADDRESS, WIRE } from './layout.ts';
import type { Vendor } from './processor.ts';
import { hex, type ProcessorState } from './processor-state.ts';

const RF = 0x1_0000;
const PF = 14;

export interface Comparison {
  /** what data memory held when both started */
  readonly image: Uint8Array;
  /** whose processor `expected` comes from */
  readonly vendor: Vendor;
}

/** How `actual` differs from `expected` (the host's), one line each; none when they agree. */
export function differences(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
  { image, vendor }: Comparison,
): string[] {
  if (expected.vector === TIMED_OUT && actual.vector === TIMED_OUT) return [];
  if (deviation(each, expected, actual) !== undefined) return [];
  const lines = compare(each, expected, actual, image);
  if (lines.length === 0 || vendor === 'amd') return lines;
  if (intelDeviation(each, expected, actual) !== undefined) return [];
  return compare(asOnIntel(each, expected), expected, actual, image, forgiveIntel);
}

function compare(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
  image: Uint8Array,
  forgive?: typeof forgiveIntel,
): string[] {
  const lines: string[] = [];
  const note = (what: string, want: string, got: string) => {
    if (want !== got) lines.push(`${what}: expected ${want}, got ${got}`);
  };
  note('end', outcomeName(expected), outcomeName(actual));
  if (expected.vector === PF && actual.vector === PF) {
    if (!reachesFar(each)) {
      note('error code', errorCode(expected), errorCode(actual));
      note('fault address', hex(expected.faultAddress), hex(actual.faultAddress));
    }
  }
  const [want, got] = [expected.state.copy(), actual.state.copy()];
  const ignored = each.undefinedFlags | RF;
  if (each.bits === 32) for (const state of [want, got]) keepLowHalves(state);
  want.rflags &= ~ignored;
  got.rflags &= ~ignored;
  for (const state of [want, got]) {
    state.set16(WIRE.fsw, state.get16(WIRE.fsw) & ~undefinedStatus(each, expected.state));
  }
  forgiveLastPlaces(each, want, got);
  forgive?.(each, expected, want, got);
  for (const line of want.differences(got)) {
    const [name = '', left = '', right = ''] = line.split(' ');
    lines.push(`${name}: expected ${left}, got ${right}`);
  }
  lines.push(...memoryDifferences(each, expected, actual, image));
  return lines;
}

/** Outside 64-bit mode the upper halves of registers, and R8 to R15, have no defined value. */
function keepLowHalves(state: ProcessorState): void {
  for (let i = 0; i < 16; i++) state.setGpr(i, i < 8 ? state.gpr(i) & 0xffff_ffffn : 0n);
}

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;
const ERROR_SUMMARY = 0x80;
const INVALID = 1;

/** Condition codes of the x87 status word without a defined value after the case. */
function undefinedStatus({ templates }: GeneratedCase, expected: ProcessorState): number {
  const status = expected.get16(WIRE.fsw);
  if ((status & ERROR_SUMMARY) !== 0) return C0 | C1 | C2 | C3;
  const remainder = templates.some(({ instruction }) => instruction.name.startsWith('fprem'));
  return remainder && (status & INVALID) !== 0 ? C0 | C1 | C2 | C3 : 0;
}

function memoryDifferences(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
  image: Uint8Array,
): string[] {
  const lines: string[] = [];
  const got = new Map<number, bigint>();
  for (const { offset, value } of actual.changes) got.set(offset, value);
  if (each.undefinedMemory.length > 0) takeUndefined(each, expected, got, image);
  for (const { offset, value } of expected.changes) {
    const other = got.get(offset);
    got.delete(offset);
    if (other === value) continue;
    lines.push(`memory +${hex(offset)}: expected ${hex(value)}, got ${show(other)}`);
  }
  for (const [offset, value] of got) {
    lines.push(`memory +${hex(offset)}: expected nothing, got ${hex(value)}`);
  }
  return lines.slice(0, 8);
}

/** Gives undefined bytes of memory the value they have on the host. */
function takeUndefined(
  each: GeneratedCase,
  expected: Outcome,
  got: Map<number, bigint>,
  image: Uint8Array,
): void {
  const before = new DataView(image.buffer, image.byteOffset, image.length);
  const want = new Map(expected.changes.map(({ offset, value }) => [offset, value]));
  for (const offset of new Set([...want.keys(), ...got.keys()])) {
    let mask = 0n;
    for (let i = 0; i < 8; i++) {
      const at = BigInt(DATA_ADDRESS + offset + i);
      const undefinedHere = each.undefinedMemory.some(([from, to]) => at >= from && at < to);
      if (undefinedHere) mask |= 0xffn << BigInt(8 * i);
    }
    if (mask === 0n) continue;
    const original = before.getBigUint64(offset, true);
    const value = ((got.get(offset) ?? original) & ~mask) | ((want.get(offset) ?? original) & mask);
    if (value === original) got.delete(offset);
    else got.set(offset, value);
  }
}

function show(value: bigint | undefined): string {
  return value === undefined ? 'nothing' : hex(value);
}

function outcomeName({ vector }: Outcome): string {
  if (vector === ENDED) return 'end';
  if (vector === TIMED_OUT) return 'never';
  return `#${vector}`;
}

/** Above this Linux tells no program whether a page is present: that bit of the error code is not compared. */
const HOST_USER_END = 0x7fff_ffff_f000n;

function errorCode({ errorCode, faultAddress }: Outcome): string {
  return hex(faultAddress < HOST_USER_END ? errorCode : errorCode | 1);
}

/** The bytes of the case's instructions, one a line. */
export function listing(each: GeneratedCase): string {
  return each.instructions
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '))
    .join('\n');
}
