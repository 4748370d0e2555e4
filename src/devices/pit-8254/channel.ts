/**
 * One counter of the 8254. Intel 8254 data sheet (231164-005), "Mode Definitions".
 * Its count is a function of guest time: nothing ticks. A new count takes effect at once, also in the
 * modes in which the chip finishes the current period first; loading takes no clock.
 */
import {
  boolean,
  type Checked,
  finite,
  integer,
  optional,
  record,
  u8,
  u16,
} from '../../state/mod.ts';

/** Input clock of the counters: a twelfth of 14.31818 MHz. */
export const PIT_FREQUENCY_HZ = 1_193_182;

const ACCESS_LOW = 1;
const ACCESS_HIGH = 2;
const ACCESS_BOTH = 3;

export const checkChannelState = record({
  mode: integer(0, 5),
  bcd: boolean,
  access: integer(ACCESS_LOW, ACCESS_BOTH),
  /** 1 to 65536 */
  reload: integer(1, 0x1_0000),
  /** a count was written since the last control word */
  loaded: boolean,
  gate: boolean,
  /** guest time from which ticks run; undefined while the gate or a missing trigger holds them */
  runningSince: optional(finite),
  /** ticks counted before `runningSince` */
  ticksBefore: finite,
  latchedCount: optional(u16),
  latchedStatus: optional(u8),
  /** the next read or write of a two-byte count is its high byte */
  readHigh: boolean,
  writeHigh: boolean,
  lowByte: u8,
});
export type ChannelState = Checked<typeof checkChannelState>;

export function freshChannel(gate: boolean): ChannelState {
  return {
    mode: 0,
    bcd: false,
    access: ACCESS_BOTH,
    reload: 0x1_0000,
    loaded: false,
    gate,
    runningSince: undefined,
    ticksBefore: 0,
    latchedCount: undefined,
    latchedStatus: undefined,
    readHigh: false,
    writeHigh: false,
    lowByte: 0,
  };
}

export class Channel {
  state: ChannelState;
  readonly #now: () => number;
  readonly #onChange: () => void;

  /** `onChange` is called when the course of OUT changes. */
  constructor(gate: boolean, now: () => number, onChange: () => void) {
    this.state = freshChannel(gate);
    this.#now = now;
    this.#onChange = onChange;
  }

  /** Control word for this counter: access, mode, BCD, or a latch command (access 0). */
  control(value: number): void {
    const s = this.state;
    const access = (value >> 4) & 3;
    if (access === 0) {
      this.latch(true, false);
      return;
    }
    const mode = (value >> 1) & 7;
    this.state = {
      ...freshChannel(s.gate),
      access,
      mode: mode > 5 ? mode - 4 : mode, // modes 2 and 3 ignore the top bit
      bcd: (value & 1) !== 0,
      reload: s.reload,
    };
    this.#onChange();
  }

  latch(count: boolean, status: boolean): void {
    const s = this.state;
    if (count) s.latchedCount ??= this.#count();
    if (status) {
      s.latchedStatus ??=
        (this.output() ? 0x80 : 0) |
        (s.loaded ? 0 : 0x40) |
        (s.access << 4) |
        (s.mode << 1) |
        (s.bcd ? 1 : 0);
    }
  }

  read(): number {
    const s = this.state;
    if (s.latchedStatus !== undefined) {
      const status = s.latchedStatus;
      s.latchedStatus = undefined;
      return status;
    }
    const count = s.latchedCount ?? this.#count();
    const high = s.access === ACCESS_BOTH ? s.readHigh : s.access === ACCESS_HIGH;
    if (s.access === ACCESS_BOTH) s.readHigh = !s.readHigh;
    if (s.access !== ACCESS_BOTH || high) s.latchedCount = undefined;
    return high ? count >> 8 : count & 0xff;
  }

  write(value: number): void {
    const s = this.state;
    if (s.access === ACCESS_BOTH && !s.writeHigh) {
      s.lowByte = value;
      s.writeHigh = true;
      if (s.mode === 0) this.#stop(); // the first byte of a new count stops mode 0
      return;
    }
    let count = value;
    if (s.access === ACCESS_BOTH) count = s.lowByte | (value << 8);
    else if (s.access === ACCESS_HIGH) count = value << 8;
    s.writeHigh = false;
    s.reload = s.bcd ? fromBcd(count) || 10_000 : count || 0x1_0000;
    s.loaded = true;
    s.ticksBefore = 0;
    s.runningSince = s.gate && !this.#triggered() ? this.#now() : undefined;
    this.#onChange();
  }

  /** The GATE input: holds counting in modes 0 and 4, restarts it in the others when it rises. */
  setGate(gate: boolean): void {
    const s = this.state;
    if (gate === s.gate) return;
    s.gate = gate;
    const now = this.#now();
    if (this.#triggered()) {
      if (!gate || !s.loaded) return;
      s.ticksBefore = 0;
      s.runningSince = now;
    } else if (gate) {
      if (this.#periodic()) s.ticksBefore = 0;
      if (s.loaded) s.runningSince = now;
    } else {
      this.#stop();
    }
    this.#onChange();
  }

  /** Level of OUT now. */
  output(): boolean {
    const s = this.state;
    if (!s.loaded) return s.mode !== 0;
    const ticks = this.#ticks();
    switch (s.mode) {
      case 0:
        return ticks >= s.reload;
      case 1:
        return !this.#begun() || ticks >= s.reload;
      case 2:
        return !s.gate || ticks % s.reload !== s.reload - 1;
      case 3:
        return !s.gate || ticks % s.reload < Math.ceil(s.reload / 2);
      default:
        return !this.#begun() || ticks !== s.reload;
    }
  }

  /** Guest time of the next rise of OUT, or undefined if it does not come by itself. */
  nextRise(): number | undefined {
    const s = this.state;
    if (s.runningSince === undefined || !s.loaded) return undefined;
    const ticks = this.#ticks();
    let target = s.reload;
    if (this.#periodic()) target = (Math.floor(ticks / s.reload) + 1) * s.reload;
    else if (s.mode >= 4) target = s.reload + 1;
    if (target <= ticks) return undefined;
    return s.runningSince + Math.ceil(((target - s.ticksBefore) * 1e9) / PIT_FREQUENCY_HZ) + 1;
  }

  /** OUT falls and rises again every period. */
  get strobes(): boolean {
    return this.#periodic() || this.state.mode >= 4;
  }

  #periodic(): boolean {
    return this.state.mode === 2 || this.state.mode === 3;
  }

  /** Modes 1 and 5 start on a rising gate only. */
  #triggered(): boolean {
    return this.state.mode === 1 || this.state.mode === 5;
  }

  #begun(): boolean {
    return this.state.runningSince !== undefined || this.state.ticksBefore > 0;
  }

  #stop(): void {
    const s = this.state;
    s.ticksBefore = this.#ticks();
    s.runningSince = undefined;
  }

  #ticks(): number {
    const { runningSince, ticksBefore } = this.state;
    if (runningSince === undefined) return ticksBefore;
    return ticksBefore + Math.floor(((this.#now() - runningSince) * PIT_FREQUENCY_HZ) / 1e9);
  }

  #count(): number {
    const s = this.state;
    const ticks = this.#ticks();
    const modulus = s.bcd ? 10_000 : 0x1_0000;
    let count: number;
    if (s.mode === 2) count = s.reload - (ticks % s.reload);
    else if (s.mode === 3) count = s.reload - ((2 * ticks) % s.reload);
    else count = (((s.reload - ticks) % modulus) + modulus) % modulus;
    count %= modulus;
    return s.bcd ? toBcd(count) : count;
  }
}

function toBcd(value: number): number {
  return (
    (value % 10) |
    ((Math.floor(value / 10) % 10) << 4) |
    ((Math.floor(value / 100) % 10) << 8) |
    ((Math.floor(value / 1000) % 10) << 12)
  );
}

function fromBcd(value: number): number {
  return (
    (value & 0xf) + ((value >> 4) & 0xf) * 10 + ((value >> 8) & 0xf) * 100 + (value >> 12) * 1000
  );
}
