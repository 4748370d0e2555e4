/** A processor for tests of helpers: flat memory, no paging, everything it is told recorded. */
import type { InterruptController } from '../../bus/mod.ts';
import type { Cpu } from '../cpu.ts';
import { CpuState } from '../cpu-state.ts';
import { CpuModel, parseCpu } from '../cpuid/mod.ts';
import { GuestFault, PF } from '../fault.ts';
import { CS, STATE } from '../state.ts';
import { enterLong64, enterProtected32, initialState, systemHelpers } from './mod.ts';

const MEMORY_BYTES = 0x10_0000;

class TestInterrupts implements InterruptController {
  taskPriority = 0;
  tscDeadline = 0n;
  apicBase = 0xfee0_0900n;
  hasInterrupt(): boolean {
    return false;
  }
  acknowledge(): number {
    return 0;
  }
  takeNmi(): boolean {
    return false;
  }
  readApicBase(): bigint {
    return this.apicBase;
  }
  writeApicBase(value: bigint): boolean {
    this.apicBase = value;
    return true;
  }
  readX2apic(index: number): bigint | undefined {
    return index === 2 ? 7n : undefined;
  }
  writeX2apic(index: number): boolean {
    return index === 0xb;
  }
}

export class TestCpu implements Cpu {
  readonly state = new CpuState(new ArrayBuffer(STATE.size), 0);
  readonly interrupts = new TestInterrupts();
  readonly linear = new Uint8Array(MEMORY_BYTES);
  readonly view = new DataView(this.linear.buffer);
  readonly model: CpuModel;
  /** page numbers that fault */
  readonly absentPages = new Set<number>();
  readonly flushes: string[] = [];
  readonly portLog: string[] = [];
  portValue = 0;
  tsc = 1000n;
  halted = false;
  redirectedTo: bigint | undefined;
  /** what currentRip and nextRip answer */
  rip = 0x1000n;
  instructionBytes = 2n;

  constructor(mode: 'real' | 'protected' | 'long', cpu = 'max') {
    this.model = new CpuModel({
      features: parseCpu(cpu),
      tscKhz: 2_000_000,
      apicId: 0,
      cpuCount: 1,
    });
    if (mode === 'long') enterLong64(this.state, { entry: 0x1000, pageTable: 0x2000 });
    else if (mode === 'protected') enterProtected32(this.state, { entry: 0x1000 });
    else initialState(this.state);
  }

  /** Runs helper `name`; throws the GuestFault it throws. */
  run(name: string, ...args: (number | bigint)[]): unknown {
    const helper = systemHelpers[name];
    if (helper === undefined) throw new Error(`no helper ${name}`);
    return helper.run(this, ...args);
  }

  /** Writes a descriptor table entry. */
  setDescriptor(table: number, selector: number, value: bigint): void {
    this.view.setBigUint64(table + (selector & 0xfff8), value, true);
  }

  get cs(): number {
    return this.state.selector(CS);
  }

  #check(address: bigint, bytes: number, write: boolean): number {
    const start = Number(address);
    for (let at = start; at < start + bytes; at++) {
      if (at < 0 || at >= MEMORY_BYTES || this.absentPages.has(at >> 12)) {
        throw new GuestFault(PF, write ? 2 : 0, BigInt(at));
      }
    }
    return start;
  }

  readLinear(address: bigint, bytes: number): bigint {
    const at = this.#check(address, bytes, false);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.view.getUint8(at + i));
    return value;
  }
  writeLinear(address: bigint, bytes: number, value: bigint): void {
    const at = this.#check(address, bytes, true);
    for (let i = 0; i < bytes; i++) {
      this.view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
    }
  }
  readBytes(address: bigint, target: Uint8Array): void {
    const at = this.#check(address, target.length, false);
    target.set(this.linear.subarray(at, at + target.length));
  }
  writeBytes(address: bigint, source: Uint8Array): void {
    this.linear.set(source, this.#check(address, source.length, true));
  }
  translate(address: bigint, access: 'read' | 'write'): { offset: number; bytes: number } {
    const offset = this.#check(address, 1, access === 'write');
    return { offset, bytes: 0x1000 - (offset & 0xfff) };
  }
  readPhysical32(address: number): number {
    return this.view.getUint32(address, true);
  }
  currentRip(): bigint {
    return this.rip;
  }
  nextRip(): bigint {
    return this.rip + this.instructionBytes;
  }
  redirect(rip: bigint): void {
    this.redirectedTo = rip;
  }
  modeChanged(): void {
    this.flushes.push('mode');
  }
  flushTlb(scope: 'all' | 'non-global'): void {
    this.flushes.push(scope);
  }
  switchAddressSpace(pcid: number, keep: boolean): void {
    this.flushes.push(`${keep ? 'keep' : 'drop'} ${pcid}`);
  }
  flushContext(pcid: number): void {
    this.flushes.push(`context ${pcid}`);
  }
  flushPage(address: bigint): void {
    this.flushes.push(`page ${address.toString(16)}`);
  }
  ioRead(port: number, bytes: 1 | 2 | 4): number {
    this.portLog.push(`in ${port.toString(16)} ${bytes}`);
    return this.portValue;
  }
  ioWrite(port: number, bytes: 1 | 2 | 4, value: number): void {
    this.portLog.push(`out ${port.toString(16)} ${bytes} ${value.toString(16)}`);
  }
  readTsc(): bigint {
    return this.tsc;
  }
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number] {
    return this.model.cpuid(leaf, subleaf, this.state);
  }
  hasFeature(feature: string): boolean {
    return this.model.has(feature);
  }
  readMachineMsr(index: number): bigint | undefined {
    return index === 0x4b56_4d00 ? 42n : undefined;
  }
  writeMachineMsr(index: number): boolean {
    return index === 0x4b56_4d00;
  }
  halt(): void {
    this.halted = true;
  }
  hypercall(): boolean {
    return false;
  }
}

/** Asserts that `run` throws a GuestFault and returns it. */
export function faultOf(run: () => unknown): GuestFault {
  try {
    run();
  } catch (error) {
    if (error instanceof GuestFault) return error;
    throw error;
  }
  throw new Error('expected a fault, but there was none');
}

/** Descriptors for tests, as assemblers write them. */
export const DESCRIPTOR = {
  code64: 0x00af_9a00_0000_ffffn,
  userCode64: 0x00af_fa00_0000_ffffn,
  code32: 0x00cf_9a00_0000_ffffn,
  userCode32: 0x00cf_fa00_0000_ffffn,
  conforming32: 0x00cf_9e00_0000_ffffn,
  data: 0x00cf_9200_0000_ffffn,
  userData: 0x00cf_f200_0000_ffffn,
  readOnlyData: 0x00cf_9000_0000_ffffn,
  data16: 0x0000_9200_0000_ffffn,
  absentData: 0x00cf_1200_0000_ffffn,
} as const;
