/**
 * The local APIC of one processor, in xAPIC and x2APIC mode.
 * Intel SDM Vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)".
 *
 * Left out: SMI and remote-read messages, level-triggered fixed delivery from LINT pins, thermal and
 * performance-counter sources (their entries can be written), CMCI, arbitration (APR reads as PPR).
 * The register page answers wherever it is mapped: moving it (IA32_APIC_BASE) is told to `onBaseChange`.
 */
import type {
  Clock,
  Device,
  InterruptController,
  InterruptLine,
  RegisterBank,
} from '../../bus/mod.ts';
import { type Persist, section } from '../../state/mod.ts';
import { partOfWord } from '../byte-bank.ts';
import { APIC_BROADCAST, type ApicBus, type ApicReceiver, widenDestination } from './apic-bus.ts';
import { ApicTimer } from './apic-timer.ts';
import { matchesX2apicLogical, matchesXapicLogical, x2apicLogicalId } from './destination.ts';
import * as R from './registers.ts';
import { checkLocalApicState, type LocalApicState } from './state.ts';
import { VectorSet } from './vector-set.ts';
import { x2apicWriteFaults } from './x2apic.ts';

const DFR_FLAT = 0xffff_ffff;
const LOWEST_LEGAL_VECTOR = 16;

export interface LocalApicOptions {
  readonly id: number;
  readonly clock: Clock;
  readonly apicBus: ApicBus;
  /** Frequency of the guest's time-stamp counter. */
  readonly tscFrequencyHz: number;
  /** The guest's time-stamp counter now. */
  readonly readTsc: () => bigint;
  /** Input frequency of the timer before its divider; CPUID must tell the same. Default 1 GHz. */
  readonly busFrequencyHz?: number;
  /** This is the processor that boots. Default: id 0. */
  readonly bootstrap?: boolean;
  /** MAXPHYADDR of CPUID: address bits above it are reserved in IA32_APIC_BASE. Default 40. */
  readonly physicalAddressBits?: number;
  /** Interrupt acknowledge cycle of the 8259 pair, whose output drives `lint0`. */
  readonly acknowledgeExternal?: () => number;
  /** Something became deliverable: look at `hasInterrupt` and `takeNmi` soon; wake a halted vCPU. */
  readonly onWork?: () => void;
  /** INIT arrived: the processor resets and waits for start-up. The APIC has reset itself. */
  readonly onInit?: () => void;
  /** Start-up IPI: begin in real mode at `vector` × 4096. */
  readonly onStartup?: (vector: number) => void;
  /** The register page moved or was switched: its address, or undefined when it is not decoded. */
  readonly onBaseChange?: (gpa: number | undefined) => void;
}

export class LocalApic implements Device, InterruptController, ApicReceiver {
  readonly name: string;
  readonly id: number;
  /** The 4 KiB register page. */
  readonly registers: RegisterBank;
  /** Local pin 0: the output of the 8259 pair. */
  readonly lint0: InterruptLine;
  /** Local pin 1: the NMI source. */
  readonly lint1: InterruptLine;
  readonly persist: Persist<LocalApicState>;

  readonly #options: LocalApicOptions;
  readonly #bus: ApicBus;
  readonly #timer: ApicTimer;
  readonly #baseReserved: bigint;

  #base = 0n;
  #hardwareEnabled = true; // derived from #base
  #x2apic = false; // derived from #base
  #taskPriority = 0;
  #logicalDestination = 0;
  #destinationFormat = DFR_FLAT;
  #spurious = 0xff;
  #errors = 0;
  #errorStatus = 0;
  #icrLow = 0;
  #icrHigh = 0;
  readonly #lvt: number[] = new Array(R.LVT_COUNT).fill(R.LVT_MASKED);
  readonly #requested = new VectorSet();
  readonly #inService = new VectorSet();
  readonly #triggerMode = new VectorSet();
  #nmi = false;
  #lint0Level = false;
  #lint1Level = false;

  // Hot path: the processor reads this at instruction boundaries; derived, see #update.
  #deliverable = false;
  #externalDeliverable = false;

  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.id = options.id;
    this.name = `local-apic-${options.id}`;
    this.#bus = options.apicBus;
    this.#baseReserved =
      0x2ffn | (((1n << 64n) - 1n) & ~((1n << BigInt(options.physicalAddressBits ?? 40)) - 1n));
    this.#timer = new ApicTimer({
      clock: options.clock,
      busFrequencyHz: options.busFrequencyHz ?? 1e9,
      tscFrequencyHz: options.tscFrequencyHz,
      readTsc: options.readTsc,
      onExpire: () => this.#deliverLocal(R.LVT_TIMER),
    });
    this.registers = {
      read: (offset, size) => partOfWord(this.#readPage(offset), offset, size),
      write: (offset, _size, value) => this.#writePage(offset, value),
    };
    this.lint0 = {
      set: (level) => {
        const rising = level && !this.#lint0Level;
        this.#lint0Level = level;
        if (rising) this.#deliverLocal(R.LVT_LINT0);
        this.#update();
      },
    };
    this.lint1 = {
      set: (level) => {
        const rising = level && !this.#lint1Level;
        this.#lint1Level = level;
        if (rising) this.#deliverLocal(R.LVT_LINT1);
      },
    };
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkLocalApicState,
      save: () => this.#save(),
      load: (state) => this.#load(state),
    });
    this.#powerOn();
    options.apicBus.add(this);
  }

  reset(): void {
    this.#powerOn();
    this.#options.onBaseChange?.(R.APIC_DEFAULT_BASE);
  }

  #powerOn(): void {
    const bootstrap = this.#options.bootstrap ?? this.id === 0;
    this.#setBase(BigInt(R.APIC_DEFAULT_BASE) | R.BASE_ENABLED | (bootstrap ? R.BASE_BSP : 0n));
    this.#lint0Level = false;
    this.#lint1Level = false;
    this.#nmi = false;
    this.#resetRegisters();
  }

  /**
   * What firmware leaves behind on the bootstrap processor (MP specification 1.4, "Virtual Wire
   * Mode"): the APIC enabled, the 8259 pair on LINT0, NMI on LINT1. For boots without firmware.
   */
  enableVirtualWire(): void {
    this.#spurious = R.SVR_ENABLED | 0xff;
    this.#lvt[R.LVT_LINT0] = R.DELIVER_EXTINT << 8;
    this.#lvt[R.LVT_LINT1] = R.DELIVER_NMI << 8;
    this.#update();
  }

  // ---- what the processor sees ----

  hasInterrupt(): boolean {
    return this.#deliverable;
  }

  acknowledge(): number {
    if (this.#externalDeliverable) {
      const vector = this.#options.acknowledgeExternal?.() ?? this.#spurious & 0xff;
      this.#update();
      return vector;
    }
    const vector = this.#requested.highest;
    // The request was withdrawn, or the priority raised, since the processor looked.
    if (!this.#deliverable) return this.#spurious & 0xff;
    this.#requested.delete(vector);
    this.#inService.add(vector);
    this.#update();
    return vector;
  }

  /** A non-maskable interrupt waits; looking does not take it. */
  get nmiPending(): boolean {
    return this.#nmi;
  }

  takeNmi(): boolean {
    const waiting = this.#nmi;
    this.#nmi = false;
    return waiting;
  }

  get taskPriority(): number {
    return this.#taskPriority >> 4;
  }

  set taskPriority(value: number) {
    this.#taskPriority = (value & 0xf) << 4;
    this.#update();
  }

  /** False while software has switched the APIC off by IA32_APIC_BASE. */
  get isEnabled(): boolean {
    return this.#hardwareEnabled;
  }

  readApicBase(): bigint {
    return this.#base;
  }

  writeApicBase(value: bigint): boolean {
    if ((value & this.#baseReserved) !== 0n) return false;
    const before = this.#base & (R.BASE_ENABLED | R.BASE_X2APIC);
    const after = value & (R.BASE_ENABLED | R.BASE_X2APIC);
    if (after === R.BASE_X2APIC) return false;
    if (before !== after) {
      // x2APIC is entered from xAPIC alone, and left by disabling alone.
      const entering = after === (R.BASE_ENABLED | R.BASE_X2APIC);
      if (entering && before !== R.BASE_ENABLED) return false;
      if (before === (R.BASE_ENABLED | R.BASE_X2APIC) && after !== 0n) return false;
    }
    this.#setBase(value);
    if (after === 0n && before !== 0n) this.#resetRegisters();
    this.#options.onBaseChange?.(after === R.BASE_ENABLED ? Number(value & ~0xfffn) : undefined);
    this.#update();
    return true;
  }

  readX2apic(index: number): bigint | undefined {
    if (!this.#x2apic) return undefined;
    switch (index) {
      case R.APIC_ID:
        return BigInt(this.id);
      case R.APIC_LDR:
        return BigInt(x2apicLogicalId(this.id));
      case R.APIC_ICR_LOW:
        return (BigInt(this.#icrHigh) << 32n) | BigInt(this.#icrLow);
      case R.APIC_EOI:
      case R.APIC_SELF_IPI:
      case R.APIC_DFR:
      case R.APIC_ICR_HIGH:
      case R.APIC_APR:
        return undefined;
    }
    const value = this.#readRegister(index);
    return value === undefined ? undefined : BigInt(value);
  }

  writeX2apic(index: number, value: bigint): boolean {
    if (!this.#x2apic) return false;
    if (x2apicWriteFaults(index, value)) return false;
    const word = Number(value & 0xffff_ffffn);
    if (index === R.APIC_ICR_LOW) {
      this.#icrLow = word;
      this.#icrHigh = Number(value >> 32n);
      this.#sendIpi(this.#icrHigh);
      return true;
    }
    if (index === R.APIC_SELF_IPI) {
      this.accept(R.DELIVER_FIXED, word, false);
      return true;
    }
    return this.#writeRegister(index, word);
  }

  get tscDeadline(): bigint {
    return this.#timer.tscDeadline;
  }

  set tscDeadline(deadline: bigint) {
    this.#timer.tscDeadline = deadline;
  }

  // ---- what the bus sees ----

  get processorPriority(): number {
    const task = this.#taskPriority;
    const service = this.#inService.highest < 0 ? 0 : this.#inService.highest & 0xf0;
    return (task & 0xf0) >= service ? task : service;
  }

  matches(destination: number, logical: boolean): boolean {
    if (!this.#hardwareEnabled) return false;
    if (destination === APIC_BROADCAST) return true;
    if (!logical) return destination === this.id;
    return this.#x2apic
      ? matchesX2apicLogical(destination, this.id)
      : matchesXapicLogical(destination, this.#logicalDestination, this.#destinationFormat);
  }

  accept(mode: number, vector: number, levelTriggered: boolean): void {
    switch (mode) {
      case R.DELIVER_FIXED:
      case R.DELIVER_LOWEST_PRIORITY:
        this.#request(vector, levelTriggered);
        break;
      case R.DELIVER_NMI:
        this.#nmi = true;
        this.#options.onWork?.();
        break;
      case R.DELIVER_INIT:
        this.#nmi = false;
        this.#resetRegisters();
        this.#options.onInit?.();
        break;
      case R.DELIVER_STARTUP:
        this.#options.onStartup?.(vector);
        break;
      default: // SMI, and what the manual reserves
    }
  }

  // ---- registers ----

  #setBase(base: bigint): void {
    this.#base = base;
    this.#hardwareEnabled = (base & R.BASE_ENABLED) !== 0n;
    this.#x2apic = (base & R.BASE_X2APIC) !== 0n;
  }

  #readPage(offset: number): number {
    if (!this.#hardwareEnabled || this.#x2apic) return 0xffff_ffff;
    const index = offset >> 4;
    if ((offset & 0xf) > 3) return 0;
    let value: number | undefined;
    if (index === R.APIC_ID) value = this.id << 24;
    else if (index !== R.APIC_SELF_IPI && index !== R.APIC_EOI) value = this.#readRegister(index);
    if (value === undefined && index !== R.APIC_EOI) this.#error(R.ESR_ILLEGAL_REGISTER);
    return value ?? 0;
  }

  #writePage(offset: number, value: number): void {
    if (!this.#hardwareEnabled || this.#x2apic || (offset & 0xf) !== 0) return;
    const index = offset >> 4;
    switch (index) {
      case R.APIC_ID:
      case R.APIC_VERSION:
        return; // read-only
      case R.APIC_LDR:
        this.#logicalDestination = value & 0xff00_0000;
        return;
      case R.APIC_DFR:
        this.#destinationFormat = (value | 0x0fff_ffff) >>> 0;
        return;
      case R.APIC_ICR_LOW:
        this.#icrLow = value & 0x000c_cfff;
        this.#sendIpi(widenDestination(this.#icrHigh >>> 24));
        return;
      case R.APIC_ICR_HIGH:
        this.#icrHigh = (value & 0xff00_0000) >>> 0;
        return;
      case R.APIC_ESR:
        this.#writeRegister(index, 0);
        return;
    }
    // Writes to read-only registers are lost; where no register is, they are an error.
    if (!this.#writeRegister(index, value) && this.#readRegister(index) === undefined) {
      this.#error(R.ESR_ILLEGAL_REGISTER);
    }
  }

  /** Registers that read alike in both modes; undefined where there is none. */
  #readRegister(index: number): number | undefined {
    switch (index) {
      case R.APIC_VERSION:
        return R.VERSION_VALUE;
      case R.APIC_TPR:
        return this.#taskPriority;
      case R.APIC_APR:
      case R.APIC_PPR:
        return this.processorPriority;
      case R.APIC_LDR:
        return this.#logicalDestination >>> 0;
      case R.APIC_DFR:
        return this.#destinationFormat;
      case R.APIC_SVR:
        return this.#spurious;
      case R.APIC_ESR:
        return this.#errorStatus;
      case R.APIC_ICR_LOW:
        return this.#icrLow;
      case R.APIC_ICR_HIGH:
        return this.#icrHigh;
      case R.APIC_INITIAL_COUNT:
        return this.#timer.initialCount;
      case R.APIC_CURRENT_COUNT:
        return this.#timer.currentCount;
      case R.APIC_DIVIDE:
        return this.#timer.divideConfiguration;
    }
    if (index >= R.APIC_ISR && index < R.APIC_ISR + 8) {
      return this.#inService.words[index - R.APIC_ISR];
    }
    if (index >= R.APIC_TMR && index < R.APIC_TMR + 8) {
      return this.#triggerMode.words[index - R.APIC_TMR];
    }
    if (index >= R.APIC_IRR && index < R.APIC_IRR + 8) {
      return this.#requested.words[index - R.APIC_IRR];
    }
    if (index >= R.APIC_LVT && index < R.APIC_LVT + R.LVT_COUNT)
      return this.#lvt[index - R.APIC_LVT];
    return undefined;
  }

  /** Registers that are written alike in both modes; false where there is none to write. */
  #writeRegister(index: number, value: number): boolean {
    switch (index) {
      case R.APIC_TPR:
        this.#taskPriority = value & 0xff;
        this.#update();
        return true;
      case R.APIC_EOI:
        this.#endOfInterrupt();
        return true;
      case R.APIC_SVR:
        this.#spurious = value & R.SVR_WRITABLE;
        // A software-disabled APIC has all its local entries masked.
        if (!(value & R.SVR_ENABLED)) {
          for (let entry = 0; entry < R.LVT_COUNT; entry++) this.#lvt[entry]! |= R.LVT_MASKED;
        }
        this.#update();
        return true;
      case R.APIC_ESR:
        this.#errorStatus = this.#errors;
        this.#errors = 0;
        return true;
      case R.APIC_INITIAL_COUNT:
        this.#timer.initialCount = value;
        return true;
      case R.APIC_DIVIDE:
        this.#timer.divideConfiguration = value;
        return true;
    }
    const entry = index - R.APIC_LVT;
    if (entry < 0 || entry >= R.LVT_COUNT) return false;
    const masked = this.#spurious & R.SVR_ENABLED ? 0 : R.LVT_MASKED;
    this.#lvt[entry] = (value & (R.LVT_WRITABLE[entry] as number)) | masked;
    if (entry === R.LVT_TIMER) this.#timer.mode = (value >> R.LVT_TIMER_MODE_SHIFT) & 3;
    this.#update();
    return true;
  }

  /**
   * ```
   * ICR 63..32 destination (xAPIC: 63..56)
   *     19:18 shorthand: none, self, all, all but self   15 trigger  14 assert
   *     11 logical  10:8 delivery mode  7:0 vector
   * ```
   */
  #sendIpi(destination: number): void {
    const low = this.#icrLow;
    const mode = (low >> 8) & 7;
    const vector = low & 0xff;
    const levelTriggered = (low & 0x8000) !== 0;
    // INIT level de-assert synchronised arbitration ids once; today it does nothing.
    if (mode === R.DELIVER_INIT && levelTriggered && !(low & 0x4000)) return;
    if (mode <= R.DELIVER_LOWEST_PRIORITY && vector < LOWEST_LEGAL_VECTOR) {
      this.#error(R.ESR_SEND_ILLEGAL_VECTOR);
      return;
    }
    const shorthand = (low >> 18) & 3;
    if (shorthand === 1) {
      this.accept(mode, vector, false);
      return;
    }
    this.#bus.send(
      {
        destination: shorthand === 0 ? destination : APIC_BROADCAST,
        logical: shorthand === 0 && (low & 0x800) !== 0,
        mode,
        vector,
        levelTriggered: false,
      },
      shorthand === 3 ? this : undefined,
    );
  }

  #endOfInterrupt(): void {
    const vector = this.#inService.highest;
    if (vector < 0) return;
    this.#inService.delete(vector);
    this.#update();
    if (this.#triggerMode.has(vector) && !(this.#spurious & R.SVR_SUPPRESS_EOI_BROADCAST)) {
      this.#bus.endOfInterrupt(vector);
    }
  }

  #request(vector: number, levelTriggered: boolean): void {
    if (!(this.#spurious & R.SVR_ENABLED)) return;
    if (vector < LOWEST_LEGAL_VECTOR) {
      this.#error(R.ESR_RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    if (levelTriggered) this.#triggerMode.add(vector);
    else this.#triggerMode.delete(vector);
    this.#requested.add(vector);
    this.#update();
  }

  /** Delivers what an LVT entry says, unless it is masked. ExtINT is a level, see #update. */
  #deliverLocal(entry: number): void {
    const value = this.#lvt[entry] as number;
    if (value & R.LVT_MASKED || !this.#hardwareEnabled) return;
    const pin = entry === R.LVT_LINT0 || entry === R.LVT_LINT1;
    const mode = entry === R.LVT_TIMER || entry === R.LVT_ERROR ? 0 : (value >> 8) & 7;
    if (mode === R.DELIVER_FIXED) this.#request(value & 0xff, false);
    else if (mode === R.DELIVER_NMI || (mode === R.DELIVER_INIT && pin)) {
      this.accept(mode, value & 0xff, false);
    }
  }

  #error(bit: number): void {
    this.#errors |= bit;
    const entry = this.#lvt[R.LVT_ERROR] as number;
    // An illegal error vector must not report itself for ever.
    if ((entry & 0xff) >= LOWEST_LEGAL_VECTOR) this.#deliverLocal(R.LVT_ERROR);
  }

  /** State after power-up, INIT, or the APIC's global disabling; the base register stays. */
  #resetRegisters(): void {
    this.#taskPriority = 0;
    this.#logicalDestination = 0;
    this.#destinationFormat = DFR_FLAT;
    this.#spurious = 0xff;
    this.#errors = 0;
    this.#errorStatus = 0;
    this.#icrLow = 0;
    this.#icrHigh = 0;
    this.#lvt.fill(R.LVT_MASKED);
    this.#requested.clear();
    this.#inService.clear();
    this.#triggerMode.clear();
    this.#timer.reset();
    this.#update();
  }

  /** Recomputes the cached answer of `hasInterrupt`. Called after every change it depends on. */
  #update(): void {
    const before = this.#deliverable;
    const lint0 = this.#lvt[R.LVT_LINT0] as number;
    this.#externalDeliverable =
      this.#lint0Level &&
      (!this.#hardwareEnabled ||
        (!(lint0 & R.LVT_MASKED) && ((lint0 >> 8) & 7) === R.DELIVER_EXTINT));
    this.#deliverable =
      this.#externalDeliverable ||
      (this.#requested.highest >> 4 > this.processorPriority >> 4 && this.#hardwareEnabled);
    if (this.#deliverable && !before) this.#options.onWork?.();
  }

  #save(): LocalApicState {
    return {
      base: this.#base,
      taskPriority: this.#taskPriority,
      logicalDestination: this.#logicalDestination >>> 0,
      destinationFormat: this.#destinationFormat,
      spurious: this.#spurious,
      errors: this.#errors,
      errorStatus: this.#errorStatus,
      icrLow: this.#icrLow,
      icrHigh: this.#icrHigh,
      lvt: [...this.#lvt],
      requested: this.#requested.words.slice(),
      inService: this.#inService.words.slice(),
      triggerMode: this.#triggerMode.words.slice(),
      nmi: this.#nmi,
      lint0: this.#lint0Level,
      lint1: this.#lint1Level,
      timer: this.#timer.save(),
    };
  }

  #load(state: LocalApicState): void {
    this.#setBase(state.base);
    this.#taskPriority = state.taskPriority;
    this.#logicalDestination = state.logicalDestination;
    this.#destinationFormat = state.destinationFormat;
    this.#spurious = state.spurious;
    this.#errors = state.errors;
    this.#errorStatus = state.errorStatus;
    this.#icrLow = state.icrLow;
    this.#icrHigh = state.icrHigh;
    for (let entry = 0; entry < R.LVT_COUNT; entry++) this.#lvt[entry] = state.lvt[entry] as number;
    this.#requested.assign(state.requested);
    this.#inService.assign(state.inService);
    this.#triggerMode.assign(state.triggerMode);
    this.#nmi = state.nmi;
    this.#lint0Level = state.lint0;
    this.#lint1Level = state.lint1;
    this.#timer.load(state.timer);
    this.#update();
  }
}
