import type { Patch } from './case.ts';
import type { MemoryReference } from './encoder.ts';
import {
  CODE_ADDRESS,
  CODE_END,
  DATA_ADDRESS,
  DATA_END,
  PAGE,
  PATCH_ROOM,
  PATCHES,
  WIRE,
  WRITABLE_BYTES,
} from './layout.ts';
import { ProcessorState } from './processor-state.ts';
import type { Random } from './random.ts';
import { fillExtended, fillLanes, interestingInteger } from './values.ts';

const RSP = 4;
const WRITABLE_END = DATA_ADDRESS + WRITABLE_BYTES;

/** How a memory operand is to be addressed. */
export interface Addressing {
  readonly bytes: number;
  /** alignment the instruction demands, or 1 */
  readonly alignment: number;
  /** keep inside a cache line: a locked access across lines is slow or refused on some hosts */
  readonly locked: boolean;
  readonly addressBits: 16 | 32 | 64;
  readonly segmentBase: bigint;
  /** no faults on purpose */
  readonly safe: boolean;
}

/** A memory operand: how it is addressed and the linear address it has if its registers still hold. */
export interface Placed {
  readonly reference: MemoryReference;
  readonly address: bigint;
}

/**
 * The start of a case while it is put together. Registers whose initial value an address depends on
 * are pinned; registers an earlier instruction may have changed are written, and serve no address.
 */
export class CaseBuilder {
  readonly random: Random;
  readonly state: ProcessorState;
  readonly patches: Patch[] = [];
  readonly #pinned = new Set<number>();
  readonly #written = new Set<number>();
  /** where this case's memory operands gather, so that instructions meet in memory */
  readonly #anchor: number;

  /** code of 32 or 64 bits */
  readonly bits: 32 | 64;
  /** how many general, and vector, registers there are */
  readonly registers: number;

  constructor(random: Random, bits: 32 | 64, vectors: boolean, x87: boolean) {
    this.random = random;
    this.bits = bits;
    this.registers = bits === 64 ? 16 : 8;
    this.state = new ProcessorState();
    this.#anchor = DATA_ADDRESS + 64 + 8 * random.below((WRITABLE_BYTES - 256) / 8);
    for (let i = 0; i < this.registers; i++) this.#set(i, interestingInteger(random));
    this.state.setGpr(RSP, BigInt(this.stackPlace()));
    this.state.rflags = this.#flags();
    this.state.mxcsr = vectors ? this.#mxcsr() : 0x1f80;
    this.state.set16(WIRE.fcw, 0x37f);
    this.state.set64(WIRE.fsBase, BigInt(DATA_ADDRESS + 8 * random.below(64)));
    this.state.set64(WIRE.gsBase, BigInt(random.below(DATA_ADDRESS)));
    if (vectors) fillLanesOfAll(random, this.state);
    if (x87) this.#x87();
  }

  /** Marks a register as changed by an instruction already placed. */
  wrote(register: number): void {
    this.#written.add(register);
  }

  /** Whether an initial value still can be given to `register`, and reaches the instruction being placed. */
  free(register: number): boolean {
    return !this.#pinned.has(register) && !this.#written.has(register);
  }

  /** The value `register` surely holds at the instruction being placed. */
  known(register: number): bigint | undefined {
    return this.#written.has(register) ? undefined : this.state.gpr(register);
  }

  /** Gives `register` a value for the instruction being placed; false when it is too late for that. */
  give(register: number, value: bigint): boolean {
    if (!this.free(register)) return false;
    this.#set(register, value);
    this.#pinned.add(register);
    return true;
  }

  /** Puts bytes into writable memory before the case starts; false when there is no room for that. */
  put(address: bigint | number, bytes: Uint8Array): boolean {
    const offset = Number(address) - DATA_ADDRESS;
    if (this.patches.length === PATCHES || bytes.length > PATCH_ROOM) return false;
    if (!(offset >= 0 && offset + bytes.length <= WRITABLE_BYTES)) return false;
    this.patches.push({ offset, bytes });
    return true;
  }

  put64(address: bigint | number, value: bigint): boolean {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    return this.put(address, bytes);
  }

  /** A place for the stack pointer: mid of the writable pages, mostly aligned. */
  stackPlace(): number {
    const { random } = this;
    const aligned = DATA_ADDRESS + PAGE + 8 * random.below(PAGE / 8);
    return random.oneIn(6) ? aligned + random.below(8) : aligned;
  }

  /** A linear address for an access of `bytes`. */
  target(how: Addressing): bigint {
    const { random } = this;
    const { bytes, alignment } = how;
    const aligned = (address: number) => Math.floor(address / alignment) * alignment;
    const near = this.#anchor + random.below(64);
    if (how.locked) {
      const unit = Math.max(bytes, alignment);
      return BigInt(Math.floor(near / 64) * 64 + unit * random.below(Math.floor(64 / unit)));
    }
    const kind = how.safe ? random.below(86) : random.below(100);
    if (kind < 60) return BigInt(aligned(near));
    if (kind < 70) return BigInt(random.oneIn(4) ? near : aligned(near + random.below(16)));
    const slack = Math.max(1, bytes - 1);
    const across = (edge: number) => BigInt(aligned(edge - 1 - random.below(slack)));
    if (kind < 76) return across(DATA_ADDRESS + PAGE * (1 + random.below(2)));
    if (kind < 86) return BigInt(aligned(DATA_ADDRESS + random.below(WRITABLE_BYTES - bytes)));
    if (kind < 89) return BigInt(near | 1);
    if (kind < 92) return across(WRITABLE_END);
    if (kind < 94) return BigInt(aligned(WRITABLE_END + random.below(PAGE - bytes)));
    if (kind < 96) return across(DATA_END);
    if (kind < 97) return BigInt(DATA_END + random.below(PAGE));
    if (kind < 98) return BigInt(CODE_ADDRESS + 16 * random.below(4));
    if (kind < 99) return across(CODE_END);
    if (this.bits === 32) return BigInt(random.u32() & ~0xff);
    return random.pick([0n, 0x8000_0000_0000n, 0x7fff_fff0_0000n, 1n << 63n, random.u64() >> 17n]);
  }

  /** A reference to `address` through whatever registers are left, or without any. */
  refer(address: bigint, how: Addressing): Placed {
    const { random } = this;
    const effective = BigInt.asUintN(how.addressBits, address - how.segmentBase);
    const absolute = BigInt.asIntN(how.addressBits, effective);
    if (how.addressBits === 16) {
      const linear = BigInt.asUintN(32, how.segmentBase + effective);
      return { address: linear, reference: this.#short(effective) };
    }
    const fits = absolute === BigInt.asIntN(32, absolute);
    const kind = random.below(20);
    if (kind < 2 && fits)
      return { address, reference: reference({ displacement: Number(absolute) }) };
    if (this.bits === 64 && kind < 5 && fits && absolute >= 0n) {
      return { address, reference: reference({ displacement: Number(absolute), rip: true }) };
    }
    for (let attempt = 0; attempt < 8; attempt++) {
      const placed = this.#throughRegisters(effective, how, attempt);
      if (placed !== undefined) return { address, reference: placed };
    }
    if (fits) return { address, reference: reference({ displacement: Number(absolute) }) };
    return { address: 0n, reference: reference({ displacement: 0 }) };
  }

  #throughRegisters(
    effective: bigint,
    how: Addressing,
    attempt: number,
  ): MemoryReference | undefined {
    const { random } = this;
    const width = how.addressBits;
    const base = random.below(this.registers);
    if (base === RSP && attempt < 4 && !random.oneIn(8)) return undefined;
    let index: number | undefined;
    let scale = 0;
    let rest = effective;
    if (random.oneIn(3)) {
      index = random.below(this.registers);
      scale = random.below(4);
      const value = index === RSP || index === base ? undefined : this.known(index);
      if (value === undefined) return undefined;
      rest -= value << BigInt(scale);
    }
    if (this.free(base)) {
      const displacement = random.pick([0, random.below(256) - 128, random.u32() | 0, 8]);
      const value = BigInt.asUintN(width, rest - BigInt(displacement));
      const high = width === 32 ? BigInt(random.u32()) << 32n : 0n;
      this.#set(base, value | high);
      this.#pinned.add(base);
      if (index !== undefined) this.#pinned.add(index);
      return reference({ base, index, scale, displacement });
    }
    const value = this.known(base);
    if (value === undefined) return undefined;
    const displacement = BigInt.asIntN(width, rest - value);
    if (displacement !== BigInt.asIntN(32, displacement)) return undefined;
    if (index !== undefined) this.#pinned.add(index);
    return reference({ base, index, scale, displacement: Number(displacement) });
  }

  /** A 16-bit address, through BX, BP, SI and DI as far as they are left. */
  #short(effective: bigint): MemoryReference {
    const { random } = this;
    const [base, index] = random.pick([[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]]);
    if (base === undefined || !this.free(base) || random.oneIn(6)) {
      return reference({ short: true, displacement: Number(effective) });
    }
    let rest = effective;
    if (index !== undefined) {
      const value = this.known(index);
      if (value === undefined) return reference({ short: true, displacement: Number(effective) });
      this.#pinned.add(index);
      rest -= value;
    }
    const displacement = random.pick([0, random.below(256) - 128, (random.u32() << 16) >> 16]);
    const low = BigInt.asUintN(16, rest - BigInt(displacement));
    this.#set(base, (BigInt(random.u32()) & ~0xffffn) | low);
    this.#pinned.add(base);
    return reference({ short: true, base, index, displacement });
  }

  #set(register: number, value: bigint): void {
    this.state.setGpr(register, this.bits === 64 ? value : BigInt.asUintN(32, value));
  }

  #flags(): number {
    const { random } = this;
    const arithmetic = random.u32() & 0x8d5;
    return 0x202 | arithmetic | (random.oneIn(5) ? 0x400 : 0) | (random.oneIn(40) ? 0x20_0000 : 0);
  }

  /** Mostly the control words programs use; sometimes other rounding, FTZ, DAZ, unmasked exceptions. */
  #mxcsr(): number {
    const { random } = this;
    const kind = random.below(10);
    if (kind < 4) return 0x1f80;
    if (kind < 6) return 0x1fa0;
    const control = 0x1f80 | (random.below(4) << 13) | random.below(64);
    if (kind < 8) return control;
    if (kind < 9) return control | (random.below(2) << 15) | (random.below(2) << 6);
    return random.u32() & 0xffff;
  }

  #x87(): void {
    const { random, state } = this;
    const masks = random.oneIn(10) ? random.below(64) : 0x3f;
    state.set16(
      WIRE.fcw,
      0x40 | masks | (random.pick([3, 3, 3, 2, 0]) << 8) | (random.below(4) << 10),
    );
    const flags = random.oneIn(3) ? random.below(64) : 0;
    const status = (random.below(8) << 11) | (random.u32() & 0x4700) | flags;
    state.set16(WIRE.fsw, status | ((flags & ~masks) !== 0 ? 0x8080 : 0));
    state.set16(WIRE.ftw, random.pick([0xff, 0xff, 0xff, 0, random.below(256)]));
    for (let i = 0; i < 8; i++) fillExtended(random, state.view, WIRE.st + 16 * i);
    if (random.oneIn(4)) state.bytes.copyWithin(WIRE.st + 16, WIRE.st, WIRE.st + 16);
  }
}

function fillLanesOfAll(random: Random, state: ProcessorState): void {
  const kind = random.oneIn(4) ? undefined : random.below(8);
  for (let i = 0; i < 16; i++) fillLanes(random, state.view, WIRE.ymm + 32 * i, 32, kind);
  if (!random.oneIn(4)) return;
  const [from, to] = [random.below(16), random.below(16)];
  state.bytes.copyWithin(WIRE.ymm + 32 * to, WIRE.ymm + 32 * from, WIRE.ymm + 32 * from + 32);
}

function reference(parts: Partial<MemoryReference>): MemoryReference {
  return {
    base: undefined,
    index: undefined,
    scale: 0,
    displacement: 0,
    rip: false,
    short: false,
    ...parts,
  };
}
