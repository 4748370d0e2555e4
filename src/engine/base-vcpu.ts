import type { AccessSize, InterruptController } from '../bus/mod.ts';
import { PAGE_BYTES } from '../memory/mod.ts';
import {
  type CodeMode,
  type Cpu,
  CpuState,
  CS,
  DB,
  type Decoder,
  deriveAllTops,
  EFLAGS,
  GP,
  GuestFault,
  type Helper,
  MAX_INSTRUCTION_BYTES,
  type Privilege,
  SS,
  SSF,
  STATE,
  segmentsAreFlat,
  updateTrapGate,
} from '../x86/mod.ts';
import {
  ATTRIBUTE,
  deliverDebugTrap,
  deliverFault,
  deliverInterrupt,
  deliverNmi,
  in64BitMode,
  inRealMode,
  inVirtual8086,
  nmiBlocked,
} from '../x86/system/mod.ts';
import type { FaultRecord, Vcpu, VcpuExit, VcpuHost, VcpuStats } from './engine.ts';
import { Mmu } from './mmu.ts';
import { refersToStack } from './stack-reference.ts';
import { MODE_64, PRIVILEGE } from './tlb-layout.ts';

/** DR6.BS: the trap came from single-stepping. */
const DR6_SINGLE_STEP = 1 << 14;
/** DR6.BT */
const DR6_TASK_SWITCH = 1 << 15;
/** What a load of SS leaves in STATE.interruptShadow; STI leaves something else. */
const STACK_LOADED = 1;
const DR6 = STATE.dr + 6 * 8;

/** Makes compiled code leave at its next taken branch. */
export const ATTENTION = 0x8000_0000;

/** What every engine's vCPU has: state, memory, delivery of events, and the helpers' view of them. */
export abstract class BaseVcpu implements Cpu, Vcpu {
  readonly state: CpuState;
  readonly host: VcpuHost;
  readonly mmu: Mmu;
  readonly linear: Uint8Array;
  /** decoding mode of the present code segment */
  mode: CodeMode = { bits: 16, stackSize: 16, real: true, checked: true };
  lastFault: FaultRecord | undefined;
  protected exitRequested = false;
  /** set when a helper continued elsewhere: STATE.rip is next */
  protected redirected = false;
  protected readonly exits: Record<string, number> = {};

  constructor(host: VcpuHost) {
    this.host = host;
    const pool = host.memory.pool;
    const base = pool.reserve(PAGE_BYTES);
    this.state = new CpuState(pool.memory.buffer, base);
    this.linear = pool.bytes;
    this.mmu = new Mmu(host.memory, this.state, host.mmio);
    this.mmu.announcePages((feature) => host.model.has(feature));
    this.mmu.onDeviceAccess = () => this.noticeInterrupts();
  }

  abstract readonly decoder: Decoder;
  abstract run(budget: number): VcpuExit;
  abstract stats(): VcpuStats;
  abstract currentRip(): bigint;
  abstract nextRip(): bigint;

  requestExit(): void {
    this.exitRequested = true;
    this.state.set32(STATE.attention, ATTENTION);
    this.state.set32(STATE.interruptPending, ATTENTION);
  }

  stateChanged(): void {
    this.state.set64(STATE.zero, 0n);
    this.state.set64(STATE.constant4000, 0x4000n);
    this.state.set32(STATE.interruptPending, ATTENTION);
    this.modeChanged();
    this.mmu.tlb.flush(false);
  }

  get interrupts(): InterruptController {
    return this.host.interrupts;
  }

  /** After a device was touched: leave at the next branch when an interrupt became deliverable. */
  protected noticeInterrupts(): void {
    const { interrupts } = this.host;
    if (!interrupts.hasInterrupt() && interrupts.nmiPending !== true) return;
    this.state.set32(STATE.attention, ATTENTION);
    this.state.set32(STATE.interruptPending, ATTENTION);
  }

  protected count(exit: string): void {
    this.exits[exit] = (this.exits[exit] ?? 0) + 1;
  }

  // --- memory

  readLinear(address: bigint, bytes: number, privilege: Privilege = 'current'): bigint {
    return this.mmu.readLinear(address, bytes, this.#privilege(privilege));
  }
  writeLinear(
    address: bigint,
    bytes: number,
    value: bigint,
    privilege: Privilege = 'current',
  ): void {
    this.mmu.writeLinear(address, bytes, value, this.#privilege(privilege));
  }
  readBytes(address: bigint, target: Uint8Array, privilege: Privilege = 'current'): void {
    this.mmu.readBytes(address, target, this.#privilege(privilege));
  }
  writeBytes(address: bigint, source: Uint8Array, privilege: Privilege = 'current'): void {
    this.mmu.writeBytes(address, source, this.#privilege(privilege));
  }
  translate(
    address: bigint,
    access: 'read' | 'write',
  ): { offset: number; bytes: number } | undefined {
    return this.mmu.translatePlain(address, access);
  }
  #privilege(privilege: Privilege): number {
    return privilege === 'current' ? this.mmu.privilege : PRIVILEGE.supervisor;
  }

  readPhysical32(address: number): number {
    return this.host.memory.read32(address) >>> 0;
  }

  flushTlb(scope: 'all' | 'non-global'): void {
    this.modeChanged();
    this.mmu.tlb.flush(scope === 'non-global');
  }
  switchAddressSpace(pcid: number, keep: boolean): void {
    this.mmu.switchAddressSpace(pcid, keep);
  }
  flushContext(pcid: number): void {
    this.mmu.tlb.flushContext(pcid);
  }
  flushPage(address: bigint): void {
    this.mmu.tlb.flushPage(
      Number(BigInt.asIntN(32, address)),
      Number(BigInt.asIntN(32, address >> 32n)),
    );
  }

  // --- control

  redirect(rip: bigint): void {
    this.state.set64(STATE.rip, BigInt.asUintN(64, rip));
    this.redirected = true;
  }

  modeChanged(): void {
    const state = this.state;
    updateTrapGate(state);
    const before = this.mode;
    const real = inRealMode(state) || inVirtual8086(state);
    const bits = in64BitMode(state)
      ? 64
      : (state.segmentAttributes(CS) & ATTRIBUTE.DB) !== 0
        ? 32
        : 16;
    const stackSize =
      bits === 64 ? 64 : (state.segmentAttributes(SS) & ATTRIBUTE.DB) !== 0 ? 32 : 16;
    if (bits !== 64) deriveAllTops(state);
    const checked = bits !== 64 && !segmentsAreFlat(state);
    if (
      bits !== before.bits ||
      stackSize !== before.stackSize ||
      real !== before.real ||
      checked !== before.checked
    ) {
      this.mode = { bits, stackSize, real, checked };
    }
    this.mmu.modeChanged(modeNumber(this.mode));
  }

  halt(): void {
    this.state.set32(STATE.halted, 1);
  }

  // --- the machine

  ioRead(port: number, bytes: 1 | 2 | 4): number {
    this.count('io');
    this.#watchPort(port, bytes);
    const value = this.host.ports.read(port, bytes as AccessSize);
    this.noticeInterrupts();
    return value;
  }
  ioWrite(port: number, bytes: 1 | 2 | 4, value: number): void {
    this.count('io');
    this.#watchPort(port, bytes);
    this.host.ports.write(port, bytes as AccessSize, value);
    this.noticeInterrupts();
  }
  /** Breakpoints on ports trap behind the instruction. */
  #watchPort(port: number, bytes: number): void {
    const { breakpoints } = this.mmu;
    if (breakpoints.hasPorts) this.noteDebug(breakpoints.port(port, bytes));
  }
  protected noteDebug(bits: number): void {
    this.state.set32(STATE.pendingDebug, this.state.get32(STATE.pendingDebug) | bits);
  }
  readTsc(): bigint {
    return this.host.readTsc();
  }

  random(): bigint | undefined {
    if (this.host.fillRandom === undefined) return undefined;
    const bits = new BigUint64Array(1);
    this.host.fillRandom(new Uint8Array(bits.buffer));
    return bits[0];
  }
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number] {
    return this.host.model.cpuid(leaf, subleaf, this.state);
  }
  hasFeature(feature: string): boolean {
    return this.host.model.has(feature);
  }
  readMachineMsr(index: number): bigint | undefined {
    return this.host.readMsr(index);
  }
  writeMachineMsr(index: number, value: bigint): boolean {
    const accepted = this.host.writeMsr(index, value);
    this.noticeInterrupts();
    return accepted;
  }
  hypercall(): boolean {
    this.count('hypercall');
    return this.host.hypercall(this.state);
  }

  // --- events, at instruction boundaries. STATE.rip is the next instruction.

  /** Delivers a waiting NMI or interrupt. False after a triple fault. */
  protected deliverEvents(): boolean {
    const state = this.state;
    const interrupts = this.host.interrupts;
    state.set32(STATE.interruptShadow, 0);
    let delivered = true;
    if (!nmiBlocked(state) && interrupts.takeNmi()) {
      this.count('nmi');
      delivered = deliverNmi(this, state.get64(STATE.rip)) === 'delivered';
    } else if ((state.get32(STATE.eflags) & EFLAGS.IF) !== 0 && interrupts.hasInterrupt()) {
      this.count('interrupt');
      delivered =
        deliverInterrupt(this, interrupts.acknowledge(), state.get64(STATE.rip)) === 'delivered';
    }
    state.set32(
      STATE.interruptPending,
      interrupts.hasInterrupt() || nmiBlocked(state) ? ATTENTION : 0,
    );
    this.#forgetDelivery();
    return delivered;
  }

  /**
   * Takes an instruction breakpoint at STATE.rip, which is a fault in front of the instruction; EFLAGS.RF
   * holds it back once. SDM Vol. 3B, 18.3.1.1. Undefined when there is none, else as `deliverException`.
   */
  protected meetBreakpoint(linear: bigint): boolean | undefined {
    const state = this.state;
    if ((state.get32(STATE.eflags) & EFLAGS.RF) !== 0) return undefined;
    const bits = this.mmu.breakpoints.code(linear);
    if (bits === 0) return undefined;
    state.set32(DR6, state.get32(DR6) | bits);
    return this.deliverException(new GuestFault(DB), state.get64(STATE.rip));
  }

  /** Delivers the debug trap for what was noted in STATE.pendingDebug. False after a triple fault. */
  protected deliverPendingDebug(): boolean {
    const state = this.state;
    const bits = state.get32(STATE.pendingDebug);
    state.set32(STATE.pendingDebug, 0);
    this.count('debug trap');
    const delivered = deliverDebugTrap(this, bits, state.get64(STATE.rip)) === 'delivered';
    this.#forgetDelivery();
    return delivered;
  }

  /** What an event's delivery pushes onto a watched stack is no data breakpoint; a watched task may be entered. */
  #forgetDelivery(): void {
    const { state } = this;
    state.set32(STATE.pendingDebug, state.get32(STATE.pendingDebug) & DR6_TASK_SWITCH);
  }

  /**
   * Runs `instruction` by itself, with EFLAGS.RF used up, and then delivers its debug trap: single-step and
   * data breakpoints. An instruction that enters a handler or the kernel is not stepped. SDM Vol. 3B, 18.3.1.4.
   * `instruction` returns false when it faulted and `undefined` after a triple fault.
   */
  protected runAlone(instruction: () => boolean | undefined): boolean {
    const state = this.state;
    const flags = state.get32(STATE.eflags);
    const { cpl } = state;
    const deliveries = state.get32(STATE.deliveries);
    state.set32(STATE.eflags, flags & ~EFLAGS.RF);
    state.set32(STATE.pendingDebug, this.heldDebug);
    this.heldDebug = 0;
    if (this.behindStackLoad()) state.set32(STATE.interruptShadow, 0);
    const completed = instruction();
    if (completed === undefined) return false;
    const entered = state.get32(STATE.deliveries) !== deliveries || state.cpl < cpl;
    if (!completed || entered) this.#forgetDelivery();
    else if (this.behindStackLoad()) {
      // A load of SS holds its traps back until the next instruction. SDM Vol. 3A, 6.8.3.
      this.heldDebug = state.get32(STATE.pendingDebug);
      state.set32(STATE.pendingDebug, 0);
    } else if ((flags & EFLAGS.TF) !== 0) this.noteDebug(DR6_SINGLE_STEP);
    return state.get32(STATE.pendingDebug) === 0 || this.deliverPendingDebug();
  }

  /** Conditions of DR6 that an instruction which loaded SS has met, for the end of the next one. */
  protected heldDebug = 0;

  /** True when the last instruction loaded SS, which keeps interrupts and debug traps out for one more. */
  protected behindStackLoad(): boolean {
    return this.state.get32(STATE.interruptShadow) === STACK_LOADED;
  }

  /** Delivers an exception of the instruction at `rip`. False after a triple fault. */
  protected deliverException(raised: GuestFault, rip: bigint): boolean {
    const fault = this.#stackFault(raised, rip);
    this.count(`exception ${fault.vector}`);
    this.lastFault = { vector: fault.vector, errorCode: fault.errorCode, rip };
    const delivered = deliverFault(this, fault, rip) === 'delivered';
    this.#forgetDelivery();
    return delivered;
  }

  /** #SS(0) in place of #GP(0) when an address of the stack was not canonical. */
  #stackFault(fault: GuestFault, rip: bigint): GuestFault {
    const { mmu, state } = this;
    if (!mmu.notCanonical) return fault;
    mmu.notCanonical = false;
    if (fault.vector !== GP || fault.errorCode !== 0 || this.mode.bits !== 64) return fault;
    const address = state.get64(STATE.faultAddress);
    const bytes = new Uint8Array(MAX_INSTRUCTION_BYTES);
    try {
      for (let at = 0; at < bytes.length; at++)
        bytes[at] = Number(this.readLinear(rip + BigInt(at), 1, 'supervisor'));
    } catch (error) {
      // The instruction may end in front of a page that is not there.
      if (!(error instanceof GuestFault)) throw error;
    }
    return refersToStack(this.decoder, state, bytes, address) ? new GuestFault(SSF) : fault;
  }

  /** Runs an effect helper. Returns the fault it threw, or undefined. */
  protected runHelper(helper: Helper, args: readonly unknown[]): GuestFault | undefined {
    try {
      helper.run(this, ...args);
      return undefined;
    } catch (error) {
      if (error instanceof GuestFault) return error;
      throw error;
    }
  }
}

/** A number for each way of decoding; MODE_64 for 64-bit code. */
function modeNumber({ bits, stackSize, real, checked }: CodeMode): number {
  if (bits === 64) return MODE_64;
  return (
    4 + (bits === 32 ? 1 : 0) + (stackSize === 32 ? 2 : 0) + (real ? 4 : 0) + (checked ? 8 : 0)
  );
}
