/**
 * A 16550A serial port (COM1 to COM4).
 * National Semiconductor PC16550D data sheet (June 1995), sections 6 to 8.
 *
 * ```
 *  offset  read  write        DLAB = 1
 *  0       RBR   THR          DLL
 *  1       IER   IER          DLM
 *  2       IIR   FCR          IIR / FCR
 *  3 LCR   4 MCR   5 LSR   6 MSR   7 SCR
 * ```
 * Left out: baud rate and frame timing (a byte is sent the moment it is written), parity and framing
 * errors, break, DMA modes; OUT2 does not gate the interrupt, as simple kernels never set it.
 *
 * A line has no flow control that a guest would have to know about: what arrives before a driver
 * listens is lost. Here nothing arrives then; it waits at the sender. A guest listens when it has
 * enabled the receive interrupt, or when it does nothing but poll LSR, and in both cases when it has
 * left FIFOs and line format alone for a moment: drivers empty the FIFO while they set the port up.
 */
import type { Clock, Device, InterruptLine, RegisterBank, Timer } from '../bus/mod.ts';
import {
  boolean,
  bytes,
  type Checked,
  integer,
  type Persist,
  record,
  section,
  u8,
} from '../state/mod.ts';
import { byteBank } from './byte-bank.ts';

/** IER: which conditions interrupt. */
const IER_RECEIVED = 0x01;
const IER_THR_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

/** IIR: the pending condition of highest priority. */
const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THR_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS_ENABLED = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVE = 0x02;
const FCR_KEPT = 0xc9; // enable, DMA mode, trigger level

const LCR_DLAB = 0x80;

const MCR_LOOP = 0x10;
const MCR_KEPT = 0x1f;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_IDLE = 0x60; // THRE and TEMT

/** MSR of a connected peer: DCD, DSR and CTS. */
const MSR_CONNECTED = 0xb0;
const MSR_RI = 0x40;

const FIFO_BYTES = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

/** Reads of LSR in a row, with nothing else done to the port, that no sender needs: a poll for input. */
const POLLING_READS = 16;
/** A driver that sets the port up is through with it so long after its last FCR or LCR write. */
const SETTLE_NANOSECONDS = 1_000_000;

/** Transmitted bytes wait this long for company, so that a message is one chunk and not fifty. */
const FLUSH_NANOSECONDS = 1_000_000;
const CHUNK_BYTES = 1024;

const checkState = record({
  ier: integer(0, 0x0f),
  fcr: u8,
  lcr: u8,
  mcr: integer(0, MCR_KEPT),
  msr: u8,
  scr: u8,
  divisor: integer(0, 0xffff),
  overrun: boolean,
  thrEmptyPending: boolean,
  received: bytes(0, FIFO_BYTES),
});

export type Uart16550State = Checked<typeof checkState>;

export interface Uart16550Options {
  readonly clock: Clock;
  readonly line: InterruptLine;
  /** Bytes the guest sent; the array is the receiver's to keep. */
  readonly output: (bytes: Uint8Array) => void;
  /** The receive FIFO ran empty, or the guest began to listen: more input is welcome. */
  readonly onInputRoom?: () => void;
  readonly name?: string;
}

/**
 * @example
 * const uart = new Uart16550({ clock, line, output: (bytes) => console.write(bytes) });
 * ports.map(0x3f8, 8, uart.registers);
 * uart.receive(keys);
 */
export class Uart16550 implements Device {
  readonly name: string;
  /** Eight byte-wide registers. */
  readonly registers: RegisterBank;
  readonly persist: Persist<Uart16550State>;
  readonly #line: InterruptLine;
  readonly #output: (bytes: Uint8Array) => void;
  readonly #onInputRoom: () => void;
  readonly #clock: Clock;
  readonly #flushTimer: Timer;

  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #msr = MSR_CONNECTED;
  #scr = 0;
  #divisor = 0;
  #overrun = false;
  #thrEmptyPending = false;
  #received: number[] = [];

  /** reads of LSR since the last write, up to POLLING_READS */
  #polls = 0;
  /** fires when the port has been left alone for SETTLE_NANOSECONDS; armed until then */
  readonly #settleTimer: Timer;
  #isSettled = true;

  /** bytes sent and not yet handed on; flushed before every save */
  readonly #sent = new Uint8Array(CHUNK_BYTES);
  #sentLength = 0;

  constructor(options: Uart16550Options) {
    this.name = options.name ?? 'uart';
    this.#line = options.line;
    this.#output = options.output;
    this.#onInputRoom = options.onInputRoom ?? (() => {});
    this.#clock = options.clock;
    this.#flushTimer = options.clock.timer(() => this.flush());
    this.#settleTimer = options.clock.timer(() => {
      this.#isSettled = true;
      if (this.#isListening()) this.#onInputRoom();
    });
    this.registers = byteBank(
      (offset) => this.#read(offset),
      (offset, value) => this.#write(offset, value),
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => {
        this.flush();
        return {
          ier: this.#ier,
          fcr: this.#fcr,
          lcr: this.#lcr,
          mcr: this.#mcr,
          msr: this.#msr,
          scr: this.#scr,
          divisor: this.#divisor,
          overrun: this.#overrun,
          thrEmptyPending: this.#thrEmptyPending,
          received: Uint8Array.from(this.#received),
        };
      },
      load: (state) => {
        this.flush();
        this.#ier = state.ier;
        this.#fcr = state.fcr;
        this.#lcr = state.lcr;
        this.#mcr = state.mcr;
        this.#msr = state.msr;
        this.#scr = state.scr;
        this.#divisor = state.divisor;
        this.#overrun = state.overrun;
        this.#thrEmptyPending = state.thrEmptyPending;
        this.#received = Array.from(state.received);
        this.#forgetListener();
      },
    });
  }

  reset(): void {
    this.flush();
    this.#ier = 0;
    this.#fcr = 0;
    this.#lcr = 0;
    this.#mcr = 0;
    this.#msr = MSR_CONNECTED;
    this.#scr = 0;
    this.#divisor = 0;
    this.#overrun = false;
    this.#thrEmptyPending = false;
    this.#received = [];
    this.#forgetListener();
    this.#updateLine();
  }

  /**
   * Offers input to the guest; returns how many leading bytes the FIFO took. Never takes more than
   * it holds, and nothing while no one listens: offer the rest again later.
   */
  receive(input: Uint8Array): number {
    if (!this.#isListening()) return 0;
    const accepted = Math.min(input.length, this.#capacity() - this.#received.length);
    if (accepted <= 0) return 0;
    for (let index = 0; index < accepted; index++) this.#received.push(input[index] as number);
    this.#updateLine();
    return accepted;
  }

  /** Hands on what the guest sent and still waits here. Call before a machine stops. */
  flush(): void {
    if (this.#sentLength === 0) return;
    const chunk = this.#sent.slice(0, this.#sentLength);
    this.#sentLength = 0;
    this.#flushTimer.cancel();
    this.#output(chunk);
  }

  #isListening(): boolean {
    if (this.#mcr & MCR_LOOP || !this.#isSettled) return false;
    return (this.#ier & IER_RECEIVED) !== 0 || this.#polls >= POLLING_READS;
  }

  /** The port is as it is after power-on or a restore: nobody has been seen polling. */
  #forgetListener(): void {
    this.#polls = 0;
    this.#isSettled = true;
    this.#settleTimer.cancel();
  }

  #unsettle(): void {
    this.#isSettled = false;
    this.#settleTimer.arm(this.#clock.now() + SETTLE_NANOSECONDS);
  }

  #capacity(): number {
    return this.#fcr & FCR_ENABLE ? FIFO_BYTES : 1;
  }

  #read(offset: number): number {
    switch (offset) {
      case 0:
        return this.#lcr & LCR_DLAB ? this.#divisor & 0xff : this.#readReceived();
      case 1:
        return this.#lcr & LCR_DLAB ? this.#divisor >> 8 : this.#ier;
      case 2: {
        const pending = this.#interrupt();
        if (pending === IIR_THR_EMPTY) {
          this.#thrEmptyPending = false;
          this.#updateLine();
        }
        return pending | (this.#fcr & FCR_ENABLE ? IIR_FIFOS_ENABLED : 0);
      }
      case 3:
        return this.#lcr;
      case 4:
        return this.#mcr;
      case 5: {
        if (this.#polls < POLLING_READS) this.#polls++;
        const status =
          LSR_TRANSMITTER_IDLE |
          (this.#received.length > 0 ? LSR_DATA_READY : 0) |
          (this.#overrun ? LSR_OVERRUN : 0);
        if (this.#overrun) {
          this.#overrun = false;
          this.#updateLine();
        }
        return status;
      }
      case 6: {
        const status = this.#msr;
        this.#msr &= 0xf0;
        this.#updateLine();
        return status;
      }
      case 7:
        return this.#scr;
      default:
        return 0xff;
    }
  }

  #write(offset: number, value: number): void {
    this.#polls = 0;
    switch (offset) {
      case 0:
        if (this.#lcr & LCR_DLAB) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case 1:
        if (this.#lcr & LCR_DLAB) {
          this.#divisor = (this.#divisor & 0x00ff) | (value << 8);
          break;
        }
        // The transmitter is always empty, so enabling its interrupt raises it at once.
        if (value & ~this.#ier & IER_THR_EMPTY) this.#thrEmptyPending = true;
        this.#ier = value & 0x0f;
        this.#updateLine();
        break;
      case 2:
        // Switching the FIFOs on or off empties them.
        if ((value ^ this.#fcr) & FCR_ENABLE || value & FCR_CLEAR_RECEIVE) this.#received = [];
        this.#fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
        this.#unsettle();
        this.#updateLine();
        break;
      case 3:
        this.#lcr = value;
        this.#unsettle();
        break;
      case 4:
        this.#writeModemControl(value & MCR_KEPT);
        break;
      case 7:
        this.#scr = value;
        break;
      default: // LSR and MSR are read-only.
    }
  }

  #readReceived(): number {
    const byte = this.#received.shift() ?? 0;
    if (this.#received.length === 0 && !(this.#mcr & MCR_LOOP)) this.#onInputRoom();
    this.#updateLine();
    return byte;
  }

  #transmit(value: number): void {
    this.#thrEmptyPending = false;
    this.#updateLine();
    if (this.#mcr & MCR_LOOP) {
      if (this.#received.length < this.#capacity()) this.#received.push(value);
      else this.#overrun = true;
    } else {
      if (this.#sentLength === 0) this.#flushTimer.arm(this.#clock.now() + FLUSH_NANOSECONDS);
      this.#sent[this.#sentLength++] = value;
      if (this.#sentLength === CHUNK_BYTES) this.flush();
    }
    this.#thrEmptyPending = true;
    this.#updateLine();
  }

  /** MCR drives MSR in loopback: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
  #writeModemControl(value: number): void {
    const wasLoop = (this.#mcr & MCR_LOOP) !== 0;
    this.#mcr = value;
    let inputs = MSR_CONNECTED;
    if (value & MCR_LOOP) {
      inputs = ((value & 0x02) << 3) | ((value & 0x01) << 5) | ((value & 0x0c) << 4);
    }
    const changed = (this.#msr ^ inputs) & 0xf0;
    let deltas = (this.#msr & 0x0f) | ((changed & ~MSR_RI) >> 4);
    if (changed & MSR_RI && !(inputs & MSR_RI)) deltas |= MSR_RI >> 4; // trailing edge only
    this.#msr = inputs | deltas;
    this.#updateLine();
    if (wasLoop && !(value & MCR_LOOP) && this.#received.length === 0) this.#onInputRoom();
  }

  #interrupt(): number {
    const ier = this.#ier;
    if (this.#overrun && ier & IER_LINE_STATUS) return IIR_LINE_STATUS;
    if (this.#received.length > 0 && ier & IER_RECEIVED) {
      if (!(this.#fcr & FCR_ENABLE)) return IIR_RECEIVED;
      const trigger = TRIGGER_LEVELS[(this.#fcr >> 6) as 0 | 1 | 2 | 3];
      return this.#received.length >= trigger ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if (this.#thrEmptyPending && ier & IER_THR_EMPTY) return IIR_THR_EMPTY;
    if (this.#msr & 0x0f && ier & IER_MODEM_STATUS) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #updateLine(): void {
    this.#line.set(this.#interrupt() !== IIR_NONE);
  }
}
