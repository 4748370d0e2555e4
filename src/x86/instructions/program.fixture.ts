import {
  type Access,
  type Datum,
  type Environment,
  evaluate,
  type FieldRef,
} from '../../ir/mod.ts';
import type { Cpu } from '../cpu.ts';
import { CpuState } from '../cpu-state.ts';
import { DECODED, Decoder } from '../decoder.ts';
import { GuestFault, PF } from '../fault.ts';
import { integerHelpers } from '../helpers/integer.ts';
import { stringHelpers } from '../helpers/string.ts';
import { stringRoutines } from '../helpers/string-routines.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { STATE } from '../state.ts';
import { translationHelpers } from '../system/translation.ts';
import { integerInstructions } from './integer.ts';

const STATE_BYTES = 4096;
const helpers = {
  ...integerHelpers,
  ...stringHelpers,
  ...stringRoutines,
  ...translationHelpers,
};
const decoder = new Decoder(buildOpcodeTable(integerInstructions), () => true);

/** Code segment attributes: 16-bit, 32-bit and 64-bit code; data segments with B clear and set. */
const CODE = { 16: 0x00fb, 32: 0x40fb, 64: 0x20fb } as const;
const STACK = { 16: 0x00f3, 32: 0x40f3, 64: 0x00f3 } as const;

/** 64 KiB of flat guest memory and a vCPU state: runs one instruction by evaluating its meaning. */
export class TinyProcessor {
  readonly state: CpuState;
  readonly memory: Uint8Array;
  /** addresses from here on fault */
  limit = 0x1_0000n;
  /** pages (address >> 12) without a direct mapping */
  readonly special = new Set<number>();
  /** accesses that went element by element */
  slowAccesses = 0;
  /** where the last instruction continued instead of the next one */
  target: bigint | undefined;
  readonly #mode: 16 | 32 | 64;
  readonly #linear: Uint8Array;

  constructor(mode: 16 | 32 | 64) {
    const buffer = new ArrayBuffer(STATE_BYTES + 0x1_0000);
    this.#mode = mode;
    this.state = new CpuState(buffer, 0);
    this.memory = new Uint8Array(buffer, STATE_BYTES);
    this.#linear = new Uint8Array(buffer);
    this.state.set64(STATE.efer, mode === 64 ? 0xd00n : 0n);
    this.state.set64(STATE.cr0, 0x8000_0001n);
    this.state.setFlags(0x202);
    this.state.setSegment(1, 8, CODE[mode], 0xffff_ffff, 0n);
    for (const index of [0, 2, 3]) {
      this.state.setSegment(index, 16, STACK[mode], 0xffff_ffff, 0n);
    }
  }

  /** Executes the instruction with these bytes, as if it stood at `rip`. Throws GuestFault. */
  run(hex: string, rip = 0x100n): void {
    const code = Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16));
    const mode = this.#mode;
    const status = decoder.decode(code, 0, code.length, {
      bits: mode,
      stackSize: mode,
      real: false,
    });
    if (status !== DECODED) throw new Error(`not decoded: ${hex}`);
    const { a, b, c, base, index, segment, immediateLow, immediateHigh } = decoder;
    const { operandSize, addressSize, memory, repeat, lock, vectorLength } = decoder;
    const immediate =
      (BigInt.asUintN(32, BigInt(immediateHigh)) << 32n) | BigInt(immediateLow >>> 0);
    const body = buildMeaning(
      decoder.encoding,
      { mode, stackSize: mode, operandSize, addressSize, memory, repeat, lock, vectorLength },
      {
        slots: { a, b, c, base, index, segment },
        scale: decoder.scale,
        displacement: decoder.displacement,
        immediate,
      },
    );
    this.target = undefined;
    evaluate(body, this.#environment(rip, rip + BigInt(code.length), decoder.relative));
  }

  #check(address: bigint, bytes: number): number {
    const end = address + BigInt(bytes);
    if (end > this.limit) {
      throw new GuestFault(PF, 0, address < this.limit ? this.limit : address);
    }
    return Number(address);
  }

  #read(address: bigint, bytes: number): bigint {
    const at = this.#check(address, bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.memory[at + i] ?? 0);
    return value;
  }

  #write(address: bigint, bytes: number, value: bigint): void {
    const at = this.#check(address, bytes);
    for (let i = 0; i < bytes; i++) this.memory[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }

  /** The part of a Cpu that integer helpers use. */
  #cpu(rip: bigint, next: bigint): Cpu {
    return {
      state: this.state,
      linear: this.#linear,
      readLinear: (address: bigint, bytes: number) => {
        this.slowAccesses++;
        return this.#read(address, bytes);
      },
      writeLinear: (address: bigint, bytes: number, value: bigint) => {
        this.slowAccesses++;
        this.#write(address, bytes, value);
      },
      translate: (address: bigint) => {
        const at = this.#check(address, 1);
        if (this.special.has(at >> 12)) return undefined;
        return { offset: STATE_BYTES + at, bytes: 4096 - (at & 4095) };
      },
      currentRip: () => rip,
      nextRip: () => next,
      redirect: (target: bigint) => {
        this.target = target;
      },
    } as unknown as Cpu;
  }

  #environment(rip: bigint, next: bigint, relative: number): Environment {
    const cpu = this.#cpu(rip, next);
    const view = this.state.view;
    const at = (field: FieldRef) => (field as { offset: number }).offset;
    return {
      readState: (field, access) => readField(view, at(field), access),
      writeState: (field, access, value) => writeField(view, at(field), access, value),
      parameter: (which) => (which === 'nextRip' ? next : rip),
      load: (address, width) => this.#read(address, width / 8),
      store: (address, width, value) => this.#write(address, width / 8, value as bigint),
      helper: (name, args) => {
        helpers[name]?.run(cpu, ...args);
        return this.target !== undefined;
      },
      call: (name, args) => helpers[name]?.run(cpu, ...args) as Datum,
      fault: (vector, errorCode) => {
        throw new GuestFault(vector, errorCode);
      },
      privilegeChanged: () => {},
      branchRelative: () => {
        this.target = next + BigInt(relative);
      },
      branch: (target) => {
        this.target = target;
      },
    };
  }
}

function readField(view: DataView, at: number, access: Access): Datum {
  if (access === 'i32') return view.getInt32(at, true);
  const bits = access === 'i64' ? 64 : Number(/\.(\d+)/.exec(access)?.[1]);
  const low = BigInt.asUintN(bits, view.getBigUint64(at, true));
  const value = access.endsWith('s') ? BigInt.asIntN(bits, low) : low;
  return access.startsWith('i64') ? BigInt.asUintN(64, value) : Number(BigInt.asIntN(32, value));
}

function writeField(view: DataView, at: number, access: Access, value: Datum): void {
  const bits = access === 'i64' ? 64 : access === 'i32' ? 32 : Number(/\.(\d+)/.exec(access)?.[1]);
  for (let i = 0; i < bits / 8; i++) {
    view.setUint8(at + i, Number((BigInt(value as bigint | number) >> BigInt(8 * i)) & 0xffn));
  }
}
