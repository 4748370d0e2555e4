import { Bus, type InterruptController } from '../../src/bus/mod.ts';
import {
  type CpuModel,
  EAGER_POLICY,
  ENGINE_POOL_BYTES,
  InterpVcpu,
  ReferenceVcpu,
  type VcpuHost,
} from '../../src/engine/mod.ts';
import { FramePool, GuestMemory, PAGE_BYTES } from '../../src/memory/mod.ts';
import { buildOpcodeTable, type Helper, helpers, instructions } from '../../src/x86/mod.ts';
import { CS, DS, ES, FS, GS, SS, STATE, TR } from '../../src/x86/state.ts';
import { type Case, type Change, ENDED, type Outcome, TIMED_OUT } from './case.ts';
import {
  CODE_SELECTORS,
  GUEST_BYTES,
  handlerOf,
  STACK_SELECTOR,
  SYSTEM_REGISTERS,
  stackTopPhysical,
  writeGuestTables,
} from './guest-tables.ts';
import {
  CODE_ADDRESS,
  CODE_BYTES,
  CODE_FILLER,
  DATA_ADDRESS,
  EXIT_ADDRESS,
  EXIT32_ADDRESS,
  WRITABLE_BYTES,
} from './layout.ts';
import type { Processor } from './processor.ts';
import { loadVcpu, readVcpu } from './vcpu-state.ts';

/** LOOP counts to 65,536 with 16-bit addresses, and the host goes along. */
const BUDGET = 200_000;
const PAGE_WORDS = PAGE_BYTES / 8;
const USER_CODE = { 32: 0xc0fb, 64: 0xa0fb } as const;
const USER_DATA = 0xc0f3;
const BUSY_TSS = 0x8b;
const GP = 13;
const PF = 14;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21]);

/** `regions`: every instruction is translated before it first runs. */
export type EngineName = 'reference' | 'handlers' | 'regions';

/** Announces what the definitions can do: the generator leaves out what the host cannot. */
const everything: CpuModel = {
  cpuid: () => [0, 0, 0, 0],
  has: () => true,
};

const noInterrupts: InterruptController = {
  hasInterrupt: () => false,
  acknowledge: () => 0,
  takeNmi: () => false,
  taskPriority: 0,
  readApicBase: () => 0n,
  writeApicBase: () => false,
  readX2apic: () => undefined,
  writeX2apic: () => false,
  tscDeadline: 0n,
};

/**
 * Executes cases in a guest on one of our engines: a vCPU in 64-bit mode at level 3 over real page
 * tables. A case ends in an exception, which the vCPU delivers through the guest's IDT to a HLT; the
 * outcome is read from the frame on the guest's stack.
 */
export class EngineProcessor implements Processor {
  readonly name: EngineName;
  readonly vendor = 'amd';
  readonly #vcpu: InterpVcpu | ReferenceVcpu;
  readonly #memory: GuestMemory;
  /** the guest's writable data pages in linear memory */
  readonly #data: BigUint64Array;
  /** what they hold before each case, and the image that it came from, unless a case threw */
  #before = new BigUint64Array(WRITABLE_BYTES / 8);
  #image: Uint8Array | undefined;
  readonly #frame: DataView;

  constructor(name: EngineName) {
    this.name = name;
    const pool = new FramePool(
      GuestMemory.poolBytes(GUEST_BYTES) + ENGINE_POOL_BYTES + 64 * PAGE_BYTES + 2 ** 24,
    );
    this.#memory = new GuestMemory(pool, [{ start: 0, bytes: GUEST_BYTES }]);
    const host: VcpuHost = {
      memory: this.#memory,
      mmio: new Bus('mmio'),
      ports: new Bus('ports'),
      interrupts: noInterrupts,
      model: everything,
      readTsc: () => 0n,
      readMsr: () => undefined,
      writeMsr: () => false,
      hypercall: () => false,
    };
    const table = buildOpcodeTable(instructions);
    const named = helpers as Readonly<Record<string, Helper>>;
    this.#vcpu =
      name === 'reference'
        ? new ReferenceVcpu(host, table, named)
        : new InterpVcpu(host, table, named, name === 'regions' ? { regions: EAGER_POLICY } : {});
    const write = (gpa: number, bytes: Uint8Array) => this.#memory.write(gpa, bytes);
    writeGuestTables(write);
    write(CODE_ADDRESS, new Uint8Array(CODE_BYTES).fill(CODE_FILLER));
    write(DATA_ADDRESS, new Uint8Array(WRITABLE_BYTES).fill(1));
    const data = this.#memory.frameForRead(DATA_ADDRESS / PAGE_BYTES);
    const stack = this.#memory.frameForRead(stackTopPhysical / PAGE_BYTES - 1);
    this.#data = new BigUint64Array(pool.memory.buffer, data, WRITABLE_BYTES / 8);
    this.#frame = new DataView(pool.memory.buffer, stack, PAGE_BYTES);
  }

  run(cases: readonly Case[], data: Uint8Array): Outcome[] {
    if (data !== this.#image) {
      this.#memory.write(DATA_ADDRESS, data);
      this.#before = new BigUint64Array(data.slice().buffer);
    }
    this.#image = undefined;
    const outcomes = cases.map((each) => this.#runOne(each));
    this.#image = data;
    return outcomes;
  }

  #runOne(each: Case): Outcome {
    const memory = this.#memory;
    this.#reset(each);
    memory.write(each.codeAddress, each.code);
    for (const { offset, bytes } of each.patches) memory.write(DATA_ADDRESS + offset, bytes);
    if (this.name === 'regions') this.#warmTlb();
    const exit = this.#vcpu.run(BUDGET);
    const changes = this.#restoreData();
    memory.write(each.codeAddress, new Uint8Array(each.code.length).fill(CODE_FILLER));
    if (exit === 'shutdown') throw new Error(`case ended in a triple fault: ${this.#lastFault()}`);
    return { ...this.#readOutcome(exit === 'halt'), changes };
  }

  /** Regions leave on a TLB miss; with the data pages cached, their own accesses are what is tested. */
  #warmTlb(): void {
    for (let page = 0; page < WRITABLE_BYTES; page += PAGE_BYTES) {
      const address = BigInt(DATA_ADDRESS + page);
      this.#vcpu.writeLinear(address, 1, this.#vcpu.readLinear(address, 1));
    }
  }

  #lastFault(): string {
    const fault = this.#vcpu.lastFault;
    return fault === undefined
      ? 'no fault'
      : `vector ${fault.vector} at 0x${fault.rip.toString(16)}`;
  }

  /** A vCPU as the kernel of a 64-bit system leaves it for a program, and the case's own registers. */
  #reset(each: Case): void {
    const { state } = this.#vcpu;
    const r = SYSTEM_REGISTERS;
    state.set64(STATE.cr0, r.cr0);
    state.set64(STATE.cr2, 0n);
    state.set64(STATE.cr3, r.cr3);
    state.set64(STATE.cr4, r.cr4);
    state.set64(STATE.efer, r.efer);
    state.set64(STATE.xcr0, r.xcr0);
    state.set32(STATE.pkru, 0);
    state.set64(STATE.gdtrBase, r.gdtrBase);
    state.set32(STATE.gdtrLimit, r.gdtrLimit);
    state.set64(STATE.idtrBase, r.idtrBase);
    state.set32(STATE.idtrLimit, r.idtrLimit);
    state.setSegment(CS, CODE_SELECTORS[each.bits], USER_CODE[each.bits], 0xffff_ffff, 0n);
    state.setSegment(SS, STACK_SELECTOR, USER_DATA, 0xffff_ffff, 0n);
    const data = each.bits === 64 ? 0 : STACK_SELECTOR;
    for (const index of [DS, ES, FS, GS]) state.setSegment(index, data, USER_DATA, 0xffff_ffff, 0n);
    state.setSegment(TR, 0x40, BUSY_TSS, 0x67, r.tssBase);
    state.cpl = 3;
    state.set32(STATE.halted, 0);
    state.set32(STATE.interruptShadow, 0);
    loadVcpu(state, each.state);
    this.#vcpu.stateChanged();
  }

  /** What the exception frame and the vCPU say about how the case ended. */
  #readOutcome(halted: boolean): Omit<Outcome, 'changes'> {
    const { state } = this.#vcpu;
    const nothing = { errorCode: 0, faultAddress: 0n };
    if (!halted) {
      return { vector: TIMED_OUT, ...nothing, state: readVcpu(state, state.get64(STATE.rip)) };
    }
    const handler = state.get64(STATE.rip) - 1n;
    const vector = Number(handler - handlerOf(0)) / 16;
    let at = PAGE_BYTES - 40;
    let errorCode = 0;
    if (WITH_ERROR_CODE.has(vector)) {
      errorCode = this.#frame.getUint32(at - 8, true);
    }
    const rip = this.#frame.getBigUint64(at, true);
    at += 16;
    const outcome = readVcpu(state, rip);
    outcome.rflags = this.#frame.getUint32(at, true);
    outcome.setGpr(4, this.#frame.getBigUint64(at + 8, true));
    if (vector === GP && (rip === EXIT_ADDRESS || rip === BigInt(EXIT32_ADDRESS))) {
      outcome.rip = EXIT_ADDRESS;
      return { vector: ENDED, ...nothing, state: outcome };
    }
    const faultAddress = vector === PF ? state.get64(STATE.cr2) : 0n;
    return { vector, errorCode, faultAddress, state: outcome };
  }

  /** What a case left other than it found; the data is as it was, after. */
  #restoreData(): Change[] {
    const changes: Change[] = [];
    const now = this.#data;
    const before = this.#before;
    const pages = now.length / PAGE_WORDS;
    for (let page = 0; page < pages; page++) {
      const [start, end] = [page * PAGE_WORDS, (page + 1) * PAGE_WORDS];
      if (Buffer.compare(bytesOf(now, start, end), bytesOf(before, start, end)) === 0) continue;
      for (let i = start; i < end; i++) {
        const value = now[i] as bigint;
        if (value === before[i]) continue;
        changes.push({ offset: 8 * i, value });
        now[i] = before[i] as bigint;
      }
    }
    return changes;
  }
}

function bytesOf(words: BigUint64Array, start: number, end: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + 8 * start, 8 * (end - start));
}
