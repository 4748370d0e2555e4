import type { InterruptController } from '../../src/bus/interrupt-line.ts';
import { type Environment, evaluate } from '../../src/ir/evaluate.ts';
import type { Access, Datum, FieldRef, Parameter } from '../../src/ir/mod.ts';
import type { Cpu, Helper } from '../../src/x86/cpu.ts';
import { CpuState, EFLAGS } from '../../src/x86/cpu-state.ts';
import { DECODED, Decoder, TOO_LONG, TRUNCATED } from '../../src/x86/decoder.ts';
import { DB, GP, GuestFault, UD } from '../../src/x86/fault.ts';
import type { Instruction } from '../../src/x86/form.ts';
import { buildMeaning } from '../../src/x86/meaning.ts';
import { buildOpcodeTable } from '../../src/x86/opcode-table.ts';
import type { Shape } from '../../src/x86/shape.ts';
import { CS, DS, ES, FS, GS, SS, STATE } from '../../src/x86/state.ts';
import { type Case, ENDED, type Outcome, TIMED_OUT } from './case.ts';
import { CaseMemory } from './case-memory.ts';
import { CODE_ADDRESS, CODE_END, EXIT_ADDRESS, PAGE } from './layout.ts';
import type { Processor } from './processor.ts';
import { loadVcpu, readVcpu } from './vcpu-state.ts';

/** A case that executes more than this many instructions (repetitions counted) does not end. */
const STEPS = 20_000;
const MODE = { bits: 64, stackSize: 64, real: false } as const;
/** CR0 PE MP ET NE WP AM PG; CR4 PAE OSFXSR OSXMMEXCPT OSXSAVE FSGSBASE; EFER SCE LME LMA NXE */
const CR0 = 0x8005_0033n;
const CR4 = 0x5_0620n;
const EFER = 0xd01n;
/** Descriptor attributes of user code with L and G, and of flat user data */
const CODE_64 = 0xa0fb;
const DATA_FLAT = 0xc0f3;

/**
 * Executes cases by evaluating the instruction definitions, one at a time, over plain arrays: the
 * decoder and the meanings alone, without an engine, page tables or exception delivery.
 */
export class Evaluator implements Processor {
  readonly name = 'evaluator';
  readonly #decoder: Decoder;
  readonly #helpers: Readonly<Record<string, Helper>>;
  readonly #state = new CpuState(new ArrayBuffer(STATE.size), 0);
  readonly #features: ReadonlySet<string> | undefined;
  #memory!: CaseMemory;
  #rip = 0n;
  #next = 0n;
  readonly #environment = this.#makeEnvironment();
  readonly #cpu = this.#makeCpu();

  /** @param features what CPUID announces; all when undefined */
  constructor(
    instructions: readonly Instruction[],
    helpers: Readonly<Record<string, Helper>>,
    features?: ReadonlySet<string>,
  ) {
    this.#features = features;
    this.#helpers = helpers;
    this.#decoder = new Decoder(buildOpcodeTable(instructions), (feature) => this.#has(feature));
  }

  run(cases: readonly Case[], data: Uint8Array): Outcome[] {
    this.#memory = new CaseMemory(data);
    return cases.map((each) => this.#runOne(each));
  }

  #has(feature: string): boolean {
    return this.#features === undefined || this.#features.has(feature);
  }

  #runOne(each: Case): Outcome {
    const state = this.#state;
    state.u8.fill(0);
    state.set64(STATE.constant4000, 0x4000n);
    state.set64(STATE.cr0, CR0);
    state.set64(STATE.cr4, CR4);
    state.set64(STATE.efer, EFER);
    state.set64(STATE.xcr0, 7n);
    state.cpl = 3;
    state.setSegment(CS, 0x33, CODE_64, 0xffff_ffff, 0n);
    state.setSegment(SS, 0x2b, DATA_FLAT, 0xffff_ffff, 0n);
    for (const index of [DS, ES, FS, GS]) state.setSegment(index, 0, DATA_FLAT, 0xffff_ffff, 0n);
    loadVcpu(state, each.state);
    this.#memory.enter(each);
    this.#rip = each.state.rip;
    let vector = TIMED_OUT;
    let errorCode = 0;
    let faultAddress = 0n;
    try {
      for (let step = 0; step < STEPS; step++) {
        if (this.#rip === EXIT_ADDRESS) {
          vector = ENDED;
          break;
        }
        const trap = (state.systemFlags & EFLAGS.TF) !== 0;
        this.#step();
        if (trap) throw new GuestFault(DB);
      }
    } catch (fault) {
      if (!(fault instanceof GuestFault)) {
        this.#memory.leave(each);
        throw fault;
      }
      vector = fault.vector;
      errorCode = fault.errorCode;
      faultAddress = fault.address ?? 0n;
    }
    const changes = this.#memory.leave(each);
    return { vector, errorCode, faultAddress, state: readVcpu(state, this.#rip), changes };
  }

  #step(): void {
    const decoder = this.#decoder;
    this.#memory.translate(this.#rip, 'execute');
    const start = Number(this.#rip) - CODE_ADDRESS;
    const pageOffset = Number(this.#rip) % PAGE;
    const decoded = decoder.decode(this.#memory.code, start, CODE_END - CODE_ADDRESS, MODE);
    if (decoded === TRUNCATED) this.#memory.translate(BigInt(CODE_END), 'execute');
    if (decoded === TOO_LONG) throw new GuestFault(GP);
    if (decoded !== DECODED) throw new GuestFault(UD);
    decoder.rebase(pageOffset);
    this.#state.set64(STATE.ripBase, this.#rip - BigInt(pageOffset));
    this.#next = this.#rip + BigInt(decoder.length);
    const { a, b, c, base, index, segment } = decoder;
    const shape: Shape = {
      mode: 64,
      stackSize: 64,
      operandSize: decoder.operandSize,
      addressSize: decoder.addressSize,
      memory: decoder.memory,
      repeat: decoder.repeat,
      lock: decoder.lock,
      vectorLength: decoder.vectorLength,
    };
    const immediate = (BigInt(decoder.immediateHigh) << 32n) | BigInt(decoder.immediateLow >>> 0);
    const body = buildMeaning(decoder.encoding, shape, {
      slots: { a, b, c, base, index, segment },
      scale: decoder.scale,
      displacement: decoder.displacement,
      immediate: BigInt.asUintN(64, immediate),
    });
    evaluate(body, this.#environment);
    this.#rip = this.#next;
  }

  #makeEnvironment(): Environment {
    return {
      readState: (field, access) => readField(this.#state, field, access),
      writeState: (field, access, value) => writeField(this.#state, field, access, value),
      parameter: (which: Parameter) => {
        if (which === 'nextRip') return this.#next;
        if (which === 'rip') return this.#rip;
        throw new Error(`parameter ${which} is not known`);
      },
      load: (address, width, update) => {
        const bytes = new Uint8Array(width / 8);
        if (update) this.#memory.probe(address, bytes.length);
        this.#memory.read(address, bytes);
        return width === 128 ? bytes : toBigint(bytes);
      },
      store: (address, width, value) => {
        this.#memory.write(
          address,
          width === 128 ? (value as Uint8Array) : toBytes(value as bigint, width / 8),
        );
      },
      helper: (name, args) => {
        const before = this.#next;
        this.#helper(name).run(this.#cpu, ...args);
        return this.#next !== before;
      },
      call: (name, args) => this.#helper(name).run(this.#cpu, ...args) as Datum,
      fault: (vector, errorCode) => {
        throw new GuestFault(vector, errorCode);
      },
      branchRelative: () => {
        const target = this.#next + BigInt(this.#decoder.relative);
        this.#next = BigInt.asUintN(64, target);
      },
      branch: (rip) => {
        this.#next = BigInt.asUintN(64, rip);
      },
    };
  }

  #helper(name: string): Helper {
    const helper = this.#helpers[name];
    if (helper === undefined) throw new Error(`no helper ${name}`);
    return helper;
  }

  /** What helpers that run at privilege level 3 need; anything else is a bug of the test. */
  #makeCpu(): Cpu {
    const self = this;
    const cpu: Partial<Cpu> = {
      state: this.#state,
      interrupts: {} as InterruptController,
      readLinear: (address, bytes) => {
        const target = new Uint8Array(bytes);
        self.#memory.read(address, target);
        return toBigint(target);
      },
      writeLinear: (address, bytes, value) => self.#memory.write(address, toBytes(value, bytes)),
      readBytes: (address, target) => self.#memory.read(address, target),
      writeBytes: (address, source) => self.#memory.write(address, source),
      get linear() {
        return self.#memory.data;
      },
      translate: (address, access) => {
        const { bytes, at, left } = self.#memory.translate(address, access);
        return bytes === self.#memory.data ? { offset: at, bytes: left } : undefined;
      },
      currentRip: () => self.#rip,
      nextRip: () => self.#next,
      redirect: (rip) => {
        self.#next = rip;
      },
      modeChanged: () => {},
      hasFeature: (feature) => self.#has(feature),
    };
    return cpu as Cpu;
  }
}

function offsetOf(field: FieldRef): number {
  if (field.kind !== 'fixed') throw new Error('operands are known here');
  return field.offset;
}

function readField(state: CpuState, field: FieldRef, access: Access): Datum {
  const at = offsetOf(field);
  const { view } = state;
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
      return state.u8.slice(at, at + 16);
  }
}

function writeField(state: CpuState, field: FieldRef, access: Access, value: Datum): void {
  const at = offsetOf(field);
  const { view } = state;
  switch (access) {
    case 'i64':
      view.setBigUint64(at, value as bigint, true);
      break;
    case 'i64.8s':
    case 'i64.8u':
      view.setUint8(at, Number((value as bigint) & 0xffn));
      break;
    case 'i64.16s':
    case 'i64.16u':
      view.setUint16(at, Number((value as bigint) & 0xffffn), true);
      break;
    case 'i64.32s':
    case 'i64.32u':
      view.setUint32(at, Number((value as bigint) & 0xffff_ffffn), true);
      break;
    case 'i32':
      view.setInt32(at, value as number, true);
      break;
    case 'i32.8s':
    case 'i32.8u':
      view.setUint8(at, value as number);
      break;
    case 'i32.16s':
    case 'i32.16u':
      view.setUint16(at, value as number, true);
      break;
    case 'f32':
      view.setFloat32(at, value as number, true);
      break;
    case 'f64':
      view.setFloat64(at, value as number, true);
      break;
    case 'v128':
      state.u8.set(value as Uint8Array, at);
      break;
  }
}

function toBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

function toBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt.asUintN(64, value);
  for (let i = 0; i < length; i++) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}
