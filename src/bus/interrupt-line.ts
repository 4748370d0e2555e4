/** A wire from a device to an interrupt controller. Level semantics: setting the same level twice is harmless. */
export interface InterruptLine {
  set(level: boolean): void;
}

/** A line that leads nowhere, for devices that are not wired up. */
export const unconnectedLine: InterruptLine = { set() {} };

/**
 * What a vCPU sees of its interrupt controllers (local APIC with the 8259 pair behind its LINT0).
 * The processor asks at instruction boundaries; it never sees the devices.
 */
export interface InterruptController {
  /** True when a maskable interrupt is deliverable now (local APIC above the task priority, or ExtINT). */
  hasInterrupt(): boolean;
  /** Acknowledges the deliverable interrupt and returns its vector (0 to 255). Call only after `hasInterrupt`. */
  acknowledge(): number;
  /** True when a non-maskable interrupt waits; reading clears it. */
  takeNmi(): boolean;
  /** True when one waits; looking does not take it. Absent where there are none. */
  readonly nmiPending?: boolean;
  /** CR8: bits 7:4 of the task priority register, 0 to 15. */
  taskPriority: number;
  /** IA32_APIC_BASE (MSR 0x1b). Writes with reserved bits or illegal transitions return false (#GP). */
  readApicBase(): bigint;
  writeApicBase(value: bigint): boolean;
  /** x2APIC register `index` (MSR 0x800 + index), or undefined for #GP. */
  readX2apic(index: number): bigint | undefined;
  /** False for #GP. */
  writeX2apic(index: number, value: bigint): boolean;
  /** TSC-deadline MSR (0x6e0), in TSC ticks; 0 when disarmed. */
  tscDeadline: bigint;
}
