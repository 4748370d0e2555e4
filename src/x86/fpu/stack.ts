import type { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import { Environment } from './environment.ts';
import { type Float80, type Operand80, unpack80 } from './float80.ts';
import { stackOffset, summarizeExceptions } from './registers.ts';
import { FPU_C1, FPU_CONDITIONS, FPU_IE, FPU_SF } from './words.ts';

/** The register stack of one processor: contents, tags, and what an operation leaves in the status word. */
export class FpuStack {
  readonly state: CpuState;

  constructor(state: CpuState) {
    this.state = state;
  }

  /** The environment an operation starts with. */
  environment(): Environment {
    return new Environment(this.state.get16(STATE.fpuControl));
  }

  get top(): number {
    return this.state.get32(STATE.fpuTop);
  }

  isEmpty(index: number): boolean {
    return ((this.state.get32(STATE.fpuValid) >> ((this.top + index) & 7)) & 1) === 0;
  }

  read(index: number): Float80 {
    const at = stackOffset(this.state, index);
    const high = this.state.get16(at + 8);
    return {
      sign: high >> 15,
      exponent: high & 0x7fff,
      significand: this.state.get64(at),
    };
  }

  operand(index: number): Operand80 {
    return unpack80(this.read(index));
  }

  /** Writes ST(`index`) and marks it as not empty. */
  write(index: number, value: Float80): void {
    const at = stackOffset(this.state, index);
    this.state.set64(at, value.significand);
    this.state.set16(at + 8, (value.sign << 15) | value.exponent);
    const valid = this.state.get32(STATE.fpuValid);
    this.state.set32(STATE.fpuValid, valid | (1 << ((this.top + index) & 7)));
  }

  free(index: number): void {
    const valid = this.state.get32(STATE.fpuValid);
    this.state.set32(STATE.fpuValid, valid & ~(1 << ((this.top + index) & 7)));
  }

  push(value: Float80): void {
    this.state.set32(STATE.fpuTop, (this.top - 1) & 7);
    this.write(0, value);
  }

  pop(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.free(0);
      this.state.set32(STATE.fpuTop, (this.top + 1) & 7);
    }
  }

  /** Stack underflow: IE and SF with C1 clear. True when it is masked. */
  underflow(): boolean {
    return this.#fault(0);
  }

  /** Stack overflow: IE and SF with C1 set. True when it is masked. */
  overflow(): boolean {
    return this.#fault(FPU_C1);
  }

  #fault(direction: number): boolean {
    this.#setStatus(FPU_IE | FPU_SF, FPU_C1, direction);
    return (this.state.get16(STATE.fpuControl) & FPU_IE) !== 0;
  }

  /**
   * Adds what the operation raised to the status word; C1 tells whether the result was rounded up.
   * True when the result is to be stored.
   */
  settle(env: Environment): boolean {
    const { blocked } = env;
    this.#setStatus(env.flags, FPU_C1, !blocked && env.roundedUp ? FPU_C1 : 0);
    return !blocked;
  }

  /** Like `settle`, for operations that give the condition codes in `changed`. */
  settleConditions(env: Environment, conditions: number, changed = FPU_CONDITIONS): boolean {
    this.#setStatus(env.flags, changed, conditions);
    return !env.blocked;
  }

  /** Adds what the operation raised and leaves C1 alone. True when the operation takes effect. */
  settleFlags(env: Environment): boolean {
    this.#setStatus(env.flags, 0, 0);
    return !env.blocked;
  }

  /** Replaces the condition codes in `mask`. */
  setConditions(conditions: number, mask = FPU_CONDITIONS): void {
    this.#setStatus(0, mask, conditions);
  }

  #setStatus(flags: number, conditionMask: number, conditions: number): void {
    const status = this.state.get16(STATE.fpuStatus) & ~conditionMask;
    this.state.set16(STATE.fpuStatus, status | flags | conditions);
    if (flags !== 0) summarizeExceptions(this.state);
  }
}
