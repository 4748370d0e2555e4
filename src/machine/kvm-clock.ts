/**
 * The KVM paravirtual clock: the guest reads time from a page the machine keeps, so that it calibrates
 * nothing and loses nothing. Documentation/virt/kvm/x86/msr.rst of the Linux kernel.
 *
 *   struct pvclock_vcpu_time_info            struct pvclock_wall_clock
 *   +0  u32 version (odd while it changes)   +0 u32 version
 *   +8  u64 TSC at the time of writing       +4 u32 seconds since 1970 at system time 0
 *   +16 u64 system time in ns then           +8 u32 nanoseconds
 *   +24 u32 multiplier, +28 s8 shift: ns = ((ticks << shift) × multiplier) >> 32
 *   +29 u8  flags: bit 0 the TSC is the same on all vCPUs
 *
 * Left out: steal time, asynchronous page faults, PV EOI; they are not announced.
 */
import type { Clock } from '../bus/mod.ts';
import type { GuestMemory } from '../memory/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { TSC_HZ } from './layout.ts';

const MSR_WALL_CLOCK = 0x4b56_4d00;
const MSR_SYSTEM_TIME = 0x4b56_4d01;
const MSR_WALL_CLOCK_OLD = 0x11;
const MSR_SYSTEM_TIME_OLD = 0x12;
const TIME_INFO_BYTES = 32;
const FLAG_TSC_STABLE = 1;
const ENABLED = 1n;

export class KvmClock {
  readonly #memory: GuestMemory;
  readonly #clock: Clock;
  readonly #readTsc: () => bigint;
  #systemTime = 0n;
  #version = 0;

  constructor(memory: GuestMemory, clock: Clock, readTsc: () => bigint) {
    this.#memory = memory;
    this.#clock = clock;
    this.#readTsc = readTsc;
  }

  /** The value of an MSR of this clock, or undefined when it is none. */
  read(index: number): bigint | undefined {
    if (index === MSR_SYSTEM_TIME || index === MSR_SYSTEM_TIME_OLD) return this.#systemTime;
    if (index === MSR_WALL_CLOCK || index === MSR_WALL_CLOCK_OLD) return 0n;
    return undefined;
  }

  /** False when the MSR is none of ours, or names memory that is not there. */
  write(index: number, value: bigint): boolean {
    if (index === MSR_SYSTEM_TIME || index === MSR_SYSTEM_TIME_OLD) {
      this.#systemTime = value;
      return (value & ENABLED) === 0n || this.#writeSystemTime(Number(value & ~ENABLED));
    }
    if (index === MSR_WALL_CLOCK || index === MSR_WALL_CLOCK_OLD)
      return this.#writeWallClock(Number(value));
    return false;
  }

  #writeSystemTime(gpa: number): boolean {
    const info = new DataView(new ArrayBuffer(TIME_INFO_BYTES));
    this.#version += 2;
    info.setUint32(0, this.#version, true);
    const now = Math.floor(this.#clock.now());
    info.setBigUint64(8, this.#readTsc(), true);
    info.setBigUint64(16, BigInt(now), true);
    const { multiplier, shift } = scaleOf(TSC_HZ);
    info.setUint32(24, multiplier, true);
    info.setInt8(28, shift);
    info.setUint8(29, FLAG_TSC_STABLE);
    return this.#put(gpa, info);
  }

  #writeWallClock(gpa: number): boolean {
    const info = new DataView(new ArrayBuffer(12));
    this.#version += 2;
    const milliseconds = this.#clock.epochMilliseconds;
    info.setUint32(0, this.#version, true);
    info.setUint32(4, Math.floor(milliseconds / 1000), true);
    info.setUint32(8, Math.floor(milliseconds % 1000) * 1_000_000, true);
    return this.#put(gpa, info);
  }

  #put(gpa: number, info: DataView): boolean {
    try {
      this.#memory.write(gpa, new Uint8Array(info.buffer));
      return true;
    } catch (error) {
      if (error instanceof VivariumError) return false;
      throw error;
    }
  }
}

/** Multiplier in [2^31, 2^32) and shift with ns = ((ticks << shift) × multiplier) >> 32. */
function scaleOf(hertz: number): { multiplier: number; shift: number } {
  let shift = 0;
  let multiplier = (1e9 / hertz) * 2 ** 32;
  while (multiplier >= 2 ** 32) {
    multiplier /= 2;
    shift++;
  }
  while (multiplier < 2 ** 31) {
    multiplier *= 2;
    shift--;
  }
  return { multiplier: Math.floor(multiplier), shift };
}
