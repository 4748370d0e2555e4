import {
  type Access,
  type Datum,
  type Environment,
  evaluate,
  type FieldRef,
  type Parameter,
} from '../ir/mod.ts';
import {
  buildMeaning,
  CS,
  DECODED,
  Decoder,
  GP,
  GuestFault,
  type Helper,
  MAX_INSTRUCTION_BYTES,
  type OpcodeTable,
  STATE,
  TRUNCATED,
  UD,
  UNDEFINED,
} from '../x86/mod.ts';
import { ACCESS_EXECUTE } from '../x86/paging/mod.ts';
import { BaseVcpu } from './base-vcpu.ts';
import type { VcpuExit, VcpuHost, VcpuStats } from './engine.ts';
import { shapeKeyOf, shapeOf } from './shape-key.ts';

/**
 * The slow engine: decodes and evaluates one instruction at a time with bigints, from the same
 * definitions as the fast ones. Our own oracle, and `--engine reference`.
 */
export class ReferenceVcpu extends BaseVcpu implements Environment {
  readonly decoder: Decoder;
  readonly #helpers: Readonly<Record<string, Helper>>;
  readonly #window = new Uint8Array(2 * MAX_INSTRUCTION_BYTES);
  #instructions = 0;
  /** see Cpu.spent */
  #unpaid = 0;
  #rip = 0n;
  #next = 0n;
  #relative = 0;

  constructor(host: VcpuHost, table: OpcodeTable, helpers: Readonly<Record<string, Helper>>) {
    super(host);
    this.decoder = new Decoder(table, (feature) => host.model.has(feature));
    this.#helpers = helpers;
  }

  currentRip(): bigint {
    return this.#rip;
  }
  nextRip(): bigint {
    return this.#next;
  }

  spent(instructions: number): void {
    this.#unpaid += instructions;
  }

  run(budget: number): VcpuExit {
    const state = this.state;
    this.exitRequested = false;
    for (let left = budget; left > 0; left -= 1 + this.#unpaid) {
      this.#unpaid = 0;
      state.set32(STATE.attention, 0);
      if (this.exitRequested) break;
      if (state.get32(STATE.interruptShadow) !== 0) state.set32(STATE.interruptShadow, 0);
      else if (!this.deliverEvents()) return 'shutdown';
      if (state.get32(STATE.halted) !== 0) {
        this.count('halt');
        return 'halt';
      }
      if (!this.#step()) return 'shutdown';
    }
    return 'budget';
  }

  /** Runs one instruction. False after a triple fault. */
  #step(): boolean {
    const state = this.state;
    const rip = state.get64(STATE.rip);
    if (this.mmu.breakpoints.hasCode) {
      const linear = this.mode.bits === 64 ? rip : BigInt.asUintN(32, rip + state.segmentBase(CS));
      const met = this.meetBreakpoint(linear);
      if (met !== undefined) return met;
    }
    return this.runAlone(() => {
      this.redirected = false;
      try {
        this.#execute(rip);
      } catch (error) {
        if (!(error instanceof GuestFault)) throw error;
        if (!this.redirected) state.set64(STATE.rip, rip);
        return this.deliverException(error, state.get64(STATE.rip)) ? false : undefined;
      }
      this.#instructions++;
      return true;
    });
  }

  #execute(rip: bigint): void {
    const state = this.state;
    const mode = this.mode;
    const linear = mode.bits === 64 ? rip : BigInt.asUintN(32, rip + state.segmentBase(CS));
    if (mode.checked === true && this.#beyond(rip)) throw new GuestFault(GP);
    const offset = Number(linear & 0xfffn);
    const decoder = this.decoder;
    const window = this.#window;
    const inFirst = Math.min(MAX_INSTRUCTION_BYTES, 4096 - offset);
    this.#fetch(linear, window, 0, inFirst);
    let status = decoder.decode(window, 0, inFirst, mode);
    if (status === TRUNCATED) {
      if (mode.checked === true && this.#beyond(rip + BigInt(inFirst))) throw new GuestFault(GP);
      this.#fetch(linear + BigInt(inFirst), window, inFirst, MAX_INSTRUCTION_BYTES - inFirst);
      status = decoder.decode(window, 0, MAX_INSTRUCTION_BYTES, mode);
    }
    if (status === UNDEFINED) throw new GuestFault(UD);
    if (status !== DECODED) throw new GuestFault(GP);
    if (mode.checked === true && this.#beyond(rip + BigInt(decoder.length - 1)))
      throw new GuestFault(GP);
    decoder.rebase(offset);
    state.set64(STATE.ripBase, BigInt.asUintN(64, rip - BigInt(offset)));
    this.#rip = rip;
    this.#next = this.#cut(rip + BigInt(decoder.length));
    this.#relative = decoder.relative;
    const body = buildMeaning(decoder.encoding, shapeOf(shapeKeyOf(decoder, mode)), {
      slots: {
        a: decoder.a,
        b: decoder.b,
        c: decoder.c,
        base: decoder.base,
        index: decoder.index,
        segment: decoder.segment,
      },
      scale: decoder.scale,
      displacement: decoder.displacement,
      immediate:
        BigInt.asUintN(32, BigInt(decoder.immediateLow)) |
        (BigInt.asUintN(32, BigInt(decoder.immediateHigh)) << 32n),
    });
    this.redirected = false;
    evaluate(body, this);
    if (!this.redirected) state.set64(STATE.rip, this.#next);
  }

  /** True when `rip` does not lie in the code segment. */
  #beyond(rip: bigint): boolean {
    return rip > BigInt(this.state.segmentLimit(CS));
  }

  #fetch(linear: bigint, target: Uint8Array, at: number, bytes: number): void {
    const place = this.mmu.translate(
      Number(BigInt.asIntN(32, linear)),
      Number(BigInt.asIntN(32, linear >> 32n)),
      ACCESS_EXECUTE,
      this.mmu.privilege,
    );
    if (place === -1) throw this.mmu.recordedFault();
    if (place < 0) throw new GuestFault(UD);
    target.set(this.linear.subarray(place, place + bytes), at);
  }

  #cut(rip: bigint): bigint {
    return BigInt.asUintN(this.mode.bits === 64 ? 64 : 32, rip);
  }

  // --- Environment

  readState(field: FieldRef, access: Access): Datum {
    const at = (field as { offset: number }).offset;
    const view = this.state.view;
    switch (access) {
      case 'i64':
        return view.getBigUint64(at, true);
      case 'i64.8s':
        return BigInt.asUintN(64, BigInt(view.getInt8(at)));
      case 'i64.8u':
        return BigInt(view.getUint8(at));
      case 'i64.16s':
        return BigInt.asUintN(64, BigInt(view.getInt16(at, true)));
      case 'i64.16u':
        return BigInt(view.getUint16(at, true));
      case 'i64.32s':
        return BigInt.asUintN(64, BigInt(view.getInt32(at, true)));
      case 'i64.32u':
        return BigInt(view.getUint32(at, true));
      case 'i32':
        return view.getInt32(at, true);
      case 'i32.8s':
        return view.getInt8(at);
      case 'i32.8u':
        return view.getUint8(at);
      case 'i32.16s':
        return view.getInt16(at, true);
      case 'i32.16u':
        return view.getUint16(at, true);
      case 'f32':
        return view.getFloat32(at, true);
      case 'f64':
        return view.getFloat64(at, true);
      case 'v128':
        return this.state.u8.slice(at, at + 16);
    }
  }

  writeState(field: FieldRef, access: Access, value: Datum): void {
    const at = (field as { offset: number }).offset;
    const view = this.state.view;
    switch (access) {
      case 'v128':
        this.state.u8.set(value as Uint8Array, at);
        return;
      case 'f32':
        view.setFloat32(at, value as number, true);
        return;
      case 'f64':
        view.setFloat64(at, value as number, true);
        return;
      case 'i64':
        view.setBigUint64(at, value as bigint, true);
        return;
      default: {
        const width = Number(/(\d+)[su]$/.exec(access)?.[1] ?? 32);
        const bits = Number(BigInt.asUintN(32, BigInt(value as bigint | number)));
        if (width === 8) view.setUint8(at, bits);
        else if (width === 16) view.setUint16(at, bits, true);
        else view.setUint32(at, bits, true);
      }
    }
  }

  parameter(which: Parameter): Datum {
    if (which === 'rip') return this.#rip;
    if (which === 'nextRip') return this.#next;
    throw new Error(`Vivarium internal error: parameter ${which} is known to the reference`);
  }

  load(address: bigint, width: number, update: boolean): Datum {
    const bytes = width / 8;
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const place = update
      ? this.mmu.updateSlow(low, high, bytes)
      : this.mmu.loadSlow(low, high, bytes);
    if (place === 0) throw this.mmu.recordedFault();
    const data = this.linear.slice(place, place + bytes);
    if (width === 128) return data;
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[i] as number);
    return value;
  }

  store(address: bigint, width: number, value: Datum): void {
    const bytes = width / 8;
    const bounce = this.state.base + STATE.bounce;
    if (width === 128) this.linear.set(value as Uint8Array, bounce);
    else
      for (let i = 0; i < bytes; i++)
        this.linear[bounce + i] = Number(((value as bigint) >> BigInt(8 * i)) & 0xffn);
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    if (this.mmu.storeSlow(low, high, bytes) !== 0) throw this.mmu.recordedFault();
  }

  helper(name: string, args: Datum[]): boolean {
    const helper = this.#helpers[name];
    if (helper === undefined) throw new Error(`Vivarium internal error: no helper ${name}`);
    const fault = this.runHelper(helper, args);
    if (fault !== undefined) throw fault;
    return this.redirected;
  }

  call(name: string, args: Datum[]): Datum {
    const helper = this.#helpers[name];
    if (helper === undefined) throw new Error(`Vivarium internal error: no helper ${name}`);
    const result = helper.run(this, ...args) as Datum;
    return typeof result === 'bigint' ? BigInt.asUintN(64, result) : result;
  }

  fault(vector: number, errorCode: number): never {
    throw new GuestFault(vector, errorCode);
  }

  privilegeChanged(): void {
    this.modeChanged();
  }
  branchRelative(): void {
    const target = this.#next + BigInt(this.#relative);
    const width = this.mode.bits === 64 ? 64 : Math.min(32, this.decoder.operandSize);
    this.redirect(BigInt.asUintN(width, target));
  }

  branch(rip: bigint): void {
    this.redirect(rip);
  }

  stats(): VcpuStats {
    return {
      instructions: this.#instructions,
      exits: { ...this.exits, mmio: this.mmu.mmioAccesses },
      tlb: { hits: 0, misses: this.mmu.misses, flushes: this.mmu.tlb.flushes },
      invalidations: 0,
      tiers: { reference: this.#instructions, handlers: 0, regions: 0 },
    };
  }
}
