import { type Access, type Datum, evaluate, type FieldRef } from '../../ir/mod.ts';
import type { Cpu } from '../cpu.ts';
import { CpuState } from '../cpu-state.ts';
import { DECODED, Decoder } from '../decoder.ts';
import { GuestFault } from '../fault.ts';
import { vectorHelpers } from '../helpers/vector.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { STATE, xmmOffset } from '../state.ts';
import { avxInstructions } from './avx.ts';
import { sseInstructions } from './sse.ts';

const decoder = new Decoder(buildOpcodeTable([...sseInstructions, ...avxInstructions]), () => true);

/** Vector registers without memory: evaluates the meaning of one register instruction at a time. */
export class VectorRegisters {
  readonly state = new CpuState(new ArrayBuffer(STATE.size), 0);
  readonly #cpu = { state: this.state } as unknown as Cpu;
  /** names of the helpers that ran */
  readonly helpers: string[] = [];

  constructor(mxcsr = 0x1f80) {
    this.state.set32(STATE.mxcsr, mxcsr);
    this.state.set64(STATE.cr4, 0x600n);
  }

  get mxcsr(): number {
    return this.state.get32(STATE.mxcsr);
  }

  /** Low 128 bits as hex, highest byte first; `at` 16 for the upper half. */
  get(register: number, at = 0): string {
    const from = xmmOffset(register) + at;
    return [...this.state.u8.subarray(from, from + 16)]
      .reverse()
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
  }

  set(register: number, hex: string, at = 0): void {
    const bytes = hex.padStart(32, '0').match(/../g) as string[];
    const from = xmmOffset(register) + at;
    bytes.reverse().forEach((byte, i) => {
      this.state.u8[from + i] = Number.parseInt(byte, 16);
    });
  }

  getDouble(register: number): number {
    return this.state.view.getFloat64(xmmOffset(register), true);
  }

  setDouble(register: number, value: number): void {
    this.state.view.setFloat64(xmmOffset(register), value, true);
  }

  /** Executes the instruction with these bytes. Throws GuestFault. */
  run(hex: string): void {
    const code = Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16));
    const mode = { bits: 64, stackSize: 64, real: false } as const;
    const decoded = decoder.decode(code, 0, code.length, mode);
    if (decoded !== DECODED) throw new Error(`${hex} does not decode: ${decoded}`);
    const { a, b, c, base, index, segment } = decoder;
    const shape = {
      mode: 64,
      stackSize: 64,
      operandSize: decoder.operandSize,
      addressSize: decoder.addressSize,
      memory: decoder.memory,
      repeat: decoder.repeat,
      lock: decoder.lock,
      vectorLength: decoder.vectorLength,
    } as const;
    const body = buildMeaning(decoder.encoding, shape, {
      slots: { a, b, c, base, index, segment },
      scale: decoder.scale,
      displacement: decoder.displacement,
      immediate: BigInt(decoder.immediateLow),
    });
    const none = (): never => {
      throw new Error(`${hex} needs more than registers`);
    };
    evaluate(body, {
      readState: (field, access) => this.#read(field, access),
      writeState: (field, access, value) => this.#write(field, access, value),
      parameter: none,
      load: none,
      store: none,
      helper: (name, args) => {
        this.helpers.push(name);
        vectorHelpers[name]?.run(this.#cpu, ...args);
        return false;
      },
      call: (name, args) => {
        this.helpers.push(name);
        return vectorHelpers[name]?.run(this.#cpu, ...args);
      },
      fault: (vector, errorCode) => {
        throw new GuestFault(vector, errorCode);
      },
      privilegeChanged: none,
      branchRelative: none,
      branch: none,
    });
  }

  #read(field: FieldRef, access: Access): Datum {
    const at = field.kind === 'fixed' ? field.offset : 0;
    const { view, u8 } = this.state;
    if (access === 'v128') return u8.slice(at, at + 16);
    if (access === 'i32') return view.getInt32(at, true);
    if (access === 'i32.16u') return view.getUint16(at, true);
    if (access === 'i64.32u') return BigInt(view.getUint32(at, true));
    if (access === 'i64.32s') return BigInt.asUintN(64, BigInt(view.getInt32(at, true)));
    if (access === 'i64') return view.getBigUint64(at, true);
    throw new Error(`no access ${access}`);
  }

  #write(field: FieldRef, access: Access, value: Datum): void {
    const at = field.kind === 'fixed' ? field.offset : 0;
    const { view, u8 } = this.state;
    if (access === 'v128') u8.set(value as Uint8Array, at);
    else if (access === 'i32') view.setInt32(at, value as number, true);
    else if (access === 'i64.16u') view.setUint16(at, Number((value as bigint) & 0xffffn), true);
    else if (access === 'i64.32u')
      view.setUint32(at, Number((value as bigint) & 0xffffffffn), true);
    else if (access === 'i64') view.setBigUint64(at, value as bigint, true);
    else throw new Error(`no access ${access}`);
  }
}
