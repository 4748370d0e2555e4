import type { CaseBuilder } from './case-builder.ts';
import { EXIT_ADDRESS } from './layout.ts';
import type { Template } from './templates.ts';
import { interestingInteger } from './values.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/** Choices already made for the instruction being placed. */
export interface Choices {
  /** bytes */
  readonly operandSize: number;
  readonly addressBits: 16 | 32 | 64;
  readonly segmentBase: bigint;
  readonly repeat: boolean;
  readonly safe: boolean;
  /** address of the landing block, a good place to jump to */
  readonly landing: number;
}

/** Where the instruction's ModRM operand ended up. */
export interface Place {
  readonly register: number | undefined;
  readonly address: bigint | undefined;
}

const isStackUser = (name: string) => /^(push|pop|call|ret|enter|leave)/.test(name);

/** Gives registers that `template` uses without naming them values that make it do something. */
export function prepareImplied(b: CaseBuilder, template: Template, choices: Choices): void {
  const { random } = b;
  const name = template.instruction.name;
  if (template.form.attributes.includes('rep')) prepareString(b, name, choices);
  else if (isStackUser(name)) prepareStack(b, name, choices);
  if (template.letters.some((letter) => letter.text === 'CL')) {
    const wide = choices.operandSize === 2 && /^sh[lr]d$/.test(name) ? 17 : 70;
    b.give(RCX, (random.u64() & ~0xffn) | BigInt(random.below(wide)));
  }
  if (/^loop/.test(name)) b.give(RCX, BigInt(random.pick([0, 1, 1, 2, 3])));
  if (name === 'jrcxz' && random.oneIn(2)) b.give(RCX, 0n);
  if (/^i?div$/.test(name)) prepareDivision(b, choices.operandSize);
  if (name === 'xlat') {
    const al = (b.known(RAX) ?? 0n) & 0xffn;
    b.give(RBX, dataTarget(b, choices, 1, choices.segmentBase) - al);
  }
  if (/^(xsave|xrstor)/.test(name)) {
    b.give(RAX, BigInt(random.oneIn(3) ? 7 : random.below(8)));
    b.give(RDX, 0n);
  }
  if (/^(rd|wr)pkru$/.test(name)) {
    b.give(RCX, BigInt(random.oneIn(4) ? random.u32() : 0));
    b.give(RDX, BigInt(random.oneIn(4) ? random.u32() : 0));
    // key 0 stays open: the harness itself lives in its pages
    if (name === 'wrpkru') b.give(RAX, random.u64() & ~3n);
  }
  if (/^v?maskmov(q|dqu)$/.test(name)) b.give(RDI, dataTarget(b, choices, 16, choices.segmentBase));
  if (/^v?pcmpestr/.test(name)) {
    for (const register of [RAX, RDX]) {
      b.give(register, BigInt.asUintN(64, BigInt(random.below(41) - 20)));
    }
  }
}

/** Gives the ModRM operand, and what it is compared with, a value that makes `template` do something. */
export function prepareOperand(
  b: CaseBuilder,
  template: Template,
  choices: Choices,
  place: Place,
): void {
  const { random } = b;
  const name = template.instruction.name;
  const goal = () => jumpGoal(b, choices);
  if (/^(jmp|call)$/.test(name)) {
    if (place.register !== undefined) b.give(place.register, goal());
    else if (place.address !== undefined) b.put64(place.address, goal());
  } else if (name === 'cmpxchg' && random.oneIn(2)) {
    const wanted = b.known(RAX);
    if (place.address !== undefined) {
      if (wanted !== undefined) b.put64(place.address, wanted);
    } else if (place.register !== undefined) {
      const value = b.known(place.register);
      if (value !== undefined) b.give(RAX, value);
    }
  } else if (name === 'cmpxchg8b' && random.oneIn(2)) {
    const [low, high] = [b.known(RAX), b.known(RDX)];
    if (low === undefined || high === undefined || place.address === undefined) return;
    b.put64(place.address, (low & 0xffff_ffffn) | (high << 32n));
  } else if (name === 'cmpxchg16b' && random.oneIn(2)) {
    const [low, high] = [b.known(RAX), b.known(RDX)];
    if (low === undefined || high === undefined || place.address === undefined) return;
    b.put64(place.address, low);
    b.put64(place.address + 8n, high);
  } else if (/^v?ldmxcsr$/.test(name) && place.address !== undefined) {
    const good = random.pick([0x1f80, 0x1fa0, 0x9fc0, random.u32() & 0xffff]);
    b.put(place.address, bytesOf(random.oneIn(20) ? random.u32() : good, 4));
  } else if (name === 'fxrstor' && place.address !== undefined && !random.oneIn(8)) {
    b.put(place.address + 24n, bytesOf(random.pick([0x1f80, random.u32() & 0xffff]), 4));
  } else if (name === 'xrstor' && place.address !== undefined) {
    prepareArea(b, place.address);
  } else if (name === 'fldcw' && place.address !== undefined) {
    b.put(place.address, bytesOf(random.pick([0x37f, 0x27f, 0xf7f, random.u32() & 0xffff]), 2));
  } else if (/^v?ps(ll|rl|ra)[wdq]$/.test(name) && !random.oneIn(3)) {
    const count = BigInt(random.below(70));
    if (place.address !== undefined) b.put64(place.address, count);
    else if (place.register !== undefined) b.state.set64(320 + 32 * place.register, count);
  }
}

/** Bits of XSTATE_BV and XCOMP_BV that hosts may know and Vivarium does not: AVX-512, PKRU, CET, AMX, APX. */
const HOST_COMPONENTS = [0xe0, 0x1a, 0x0e];

/** An XSAVE area that can be restored, mostly: MXCSR and the header, standard or compacted. */
function prepareArea(b: CaseBuilder, area: bigint): void {
  const { random } = b;
  b.put(area + 24n, bytesOf(random.oneIn(20) ? random.u32() : random.pick([0x1f80, 0x9fc0]), 4));
  const header = new DataView(new ArrayBuffer(64));
  const components = BigInt(random.below(8));
  header.setBigUint64(0, components, true);
  if (random.oneIn(3))
    header.setBigUint64(8, (1n << 63n) | components | BigInt(random.below(8)), true);
  if (random.oneIn(12)) {
    const at = random.below(64);
    header.setUint8(at, random.below(256) & ~(HOST_COMPONENTS[at & 7] ?? 0));
  }
  const bytes = new Uint8Array(header.buffer);
  b.put(area + 512n, bytes.subarray(0, 32));
  b.put(area + 544n, bytes.subarray(32));
}

/** The source of BT with a memory operand: a bit offset that mostly stays near. */
export function prepareBitOffset(b: CaseBuilder, register: number): void {
  if (b.random.oneIn(8)) return;
  b.give(register, BigInt.asUintN(64, BigInt(b.random.below(1024) - 512)));
}

function prepareString(b: CaseBuilder, name: string, choices: Choices): void {
  const { random } = b;
  const bytes = name.endsWith('b') ? 1 : choices.operandSize;
  const source = dataTarget(b, choices, bytes, choices.segmentBase);
  const overlap = random.oneIn(3) ? BigInt(random.below(33) - 16) : undefined;
  const target =
    overlap !== undefined && choices.segmentBase === 0n
      ? source + overlap
      : dataTarget(b, choices, bytes, 0n);
  b.give(RSI, asAddress(b, source, choices));
  b.give(RDI, asAddress(b, target, choices));
  if (!choices.repeat) return;
  b.give(
    RCX,
    asAddress(b, BigInt(random.oneIn(30) ? random.below(4096) : random.below(20)), choices),
  );
  if (/^(cmps|scas)/.test(name) && !random.oneIn(3)) {
    const fill = random.below(256);
    const same = new Uint8Array(32).fill(fill);
    if (!random.oneIn(3)) same[random.below(32)] = random.below(256);
    b.put(source + choices.segmentBase, new Uint8Array(32).fill(fill));
    b.put(target, same);
    if (name.startsWith('scas')) b.give(RAX, BigInt(fill) * 0x0101_0101_0101_0101n);
  }
}

function prepareStack(b: CaseBuilder, name: string, choices: Choices): void {
  const { random } = b;
  if (!choices.safe && random.oneIn(20)) {
    b.give(RSP, b.target({ ...addressing(choices, 8), safe: false }));
  }
  if (name === 'leave' || name === 'enter') b.give(RBP, BigInt(b.stackPlace()));
  const top = b.known(RSP);
  if (top === undefined) return;
  if (name === 'ret') {
    b.put64(top, random.oneIn(20) ? random.u64() : jumpGoal(b, choices));
  } else if (/^popf/.test(name)) {
    const trap = random.oneIn(20) ? 0x100n : 0n;
    b.put64(top, (random.u64() & ~0x4_0100n) | trap);
  }
}

/** Half of all divisions get a dividend small enough to give a quotient. */
function prepareDivision(b: CaseBuilder, bytes: number): void {
  const { random } = b;
  if (random.oneIn(4)) return;
  const width = BigInt(bytes * 8);
  const low = interestingInteger(random);
  if (bytes === 1) {
    b.give(
      RAX,
      (random.u64() & ~0xffffn) | BigInt(random.below(random.pick([0x100, 0x4000, 0x10000]))),
    );
    return;
  }
  b.give(RAX, low);
  const negative = ((low >> (width - 1n)) & 1n) === 1n;
  const high = random.pick([0n, negative ? -1n : 0n, BigInt(random.below(100)), -1n]);
  b.give(RDX, BigInt.asUintN(64, high));
}

function addressing(choices: Choices, bytes: number) {
  return {
    bytes,
    alignment: 1,
    locked: false,
    addressBits: choices.addressBits,
    segmentBase: choices.segmentBase,
    safe: choices.safe,
  };
}

/** An effective address: the linear one less the segment base. */
function dataTarget(b: CaseBuilder, choices: Choices, bytes: number, segmentBase: bigint): bigint {
  return BigInt.asUintN(64, b.target(addressing(choices, bytes)) - segmentBase);
}

/** A register value for an address-sized quantity: above the address size it is anything. */
function asAddress(b: CaseBuilder, value: bigint, choices: Choices): bigint {
  const { addressBits } = choices;
  return (
    BigInt.asUintN(addressBits, value) | (b.random.u64() & ~((1n << BigInt(addressBits)) - 1n))
  );
}

/** Where an indirect jump may go: the landing block, or in 64-bit code straight to the end. */
function jumpGoal(b: CaseBuilder, choices: Choices): bigint {
  return b.bits === 64 && b.random.oneIn(2) ? EXIT_ADDRESS : BigInt(choices.landing);
}

function bytesOf(value: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (value >>> (8 * i)) & 0xff);
}
