import type { Cpu } from '../cpu.ts';
import { CpuState } from '../cpu-state.ts';
import { GuestFault, PF } from '../fault.ts';
import { STATE } from '../state.ts';

/** A Cpu of one state block and 64 KiB of flat memory, enough for helpers that touch no other part. */
export class TestCpu {
  readonly state = new CpuState(new ArrayBuffer(STATE.size), 0);
  readonly memory = new Uint8Array(0x10000);
  readonly features = new Set(['fxsr', 'xsave', 'xgetbv1', 'avx']);
  modeChanges = 0;

  /** This object where a helper wants the whole interface. */
  get cpu(): Cpu {
    return this as unknown as Cpu;
  }

  #range(address: bigint, bytes: number): number {
    const at = Number(address);
    if (at < 0 || at + bytes > this.memory.length) throw new GuestFault(PF, 0, address);
    return at;
  }

  translate(address: bigint): { offset: number; bytes: number } {
    return { offset: this.#range(address, 1), bytes: 1 };
  }

  readBytes(address: bigint, target: Uint8Array): void {
    const at = this.#range(address, target.length);
    target.set(this.memory.subarray(at, at + target.length));
  }

  writeBytes(address: bigint, source: Uint8Array): void {
    this.memory.set(source, this.#range(address, source.length));
  }

  readLinear(address: bigint, bytes: number): bigint {
    const at = this.#range(address, bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.memory[at + i] ?? 0);
    return value;
  }

  writeLinear(address: bigint, bytes: number, value: bigint): void {
    const at = this.#range(address, bytes);
    for (let i = 0; i < bytes; i++) {
      this.memory[at + i] = Number(BigInt.asUintN(8, value >> BigInt(8 * i)));
    }
  }

  hasFeature(feature: string): boolean {
    return this.features.has(feature);
  }

  modeChanged(): void {
    this.modeChanges++;
  }
}
