/**
 * What connects local APICs, IOAPICs and message-signalled interrupts: addressed messages one way,
 * end-of-interrupt broadcasts the other. Intel SDM Vol. 3A, "Determining IPI Destination" and
 * "Message Signalled Interrupts".
 */
import { DELIVER_EXTINT, DELIVER_LOWEST_PRIORITY } from './registers.ts';

/** The destination that means every APIC. Eight-bit destinations of 0xff are widened to it. */
export const APIC_BROADCAST = 0xffff_ffff;

export interface ApicMessage {
  readonly destination: number;
  /** the destination is a set of logical APICs rather than an APIC id */
  readonly logical: boolean;
  /** one of `DELIVER_*` */
  readonly mode: number;
  readonly vector: number;
  readonly levelTriggered: boolean;
}

/** A receiver of messages: a local APIC. */
export interface ApicReceiver {
  matches(destination: number, logical: boolean): boolean;
  /** PPR, by which the least busy processor is chosen. */
  readonly processorPriority: number;
  accept(mode: number, vector: number, levelTriggered: boolean): void;
}

/** Connects the APICs of one machine, all on one thread. */
export class ApicBus {
  readonly #receivers: ApicReceiver[] = [];
  readonly #eoiListeners: ((vector: number) => void)[] = [];

  add(receiver: ApicReceiver): void {
    this.#receivers.push(receiver);
  }

  /** Calls `listener` when a level-triggered interrupt was serviced (IOAPICs listen). */
  onEndOfInterrupt(listener: (vector: number) => void): void {
    this.#eoiListeners.push(listener);
  }

  endOfInterrupt(vector: number): void {
    for (const listener of this.#eoiListeners) listener(vector);
  }

  /** Delivers `message`; `except` is left out (the sender, for "all excluding self"). */
  send(message: ApicMessage, except?: ApicReceiver): void {
    const { destination, logical, mode, vector, levelTriggered } = message;
    if (mode === DELIVER_LOWEST_PRIORITY) {
      let chosen: ApicReceiver | undefined;
      for (const receiver of this.#receivers) {
        if (receiver === except || !receiver.matches(destination, logical)) continue;
        if (chosen === undefined || receiver.processorPriority < chosen.processorPriority) {
          chosen = receiver;
        }
      }
      chosen?.accept(mode, vector, levelTriggered);
      return;
    }
    if (mode === DELIVER_EXTINT) return; // the 8259 pair reaches a processor by its LINT0 alone
    for (const receiver of this.#receivers) {
      if (receiver !== except && receiver.matches(destination, logical)) {
        receiver.accept(mode, vector, levelTriggered);
      }
    }
  }

  /**
   * A message-signalled interrupt: a 32-bit write of `data` to `address` 0xfeexxxxx.
   * ```
   * address  31    20 19         12 11   4  3  2  1 0
   *          | 0xfee | destination |      |RH|DM|    |
   * data     15 trigger  14 assert  10:8 delivery mode  7:0 vector
   * ```
   */
  sendMsi(address: number, data: number): void {
    this.send({
      destination: widenDestination((address >>> 12) & 0xff),
      logical: (address & 0x4) !== 0,
      mode: (data >> 8) & 7,
      vector: data & 0xff,
      levelTriggered: (data & 0x8000) !== 0,
    });
  }
}

/** An eight-bit destination as a 32-bit one. */
export function widenDestination(destination: number): number {
  return destination === 0xff ? APIC_BROADCAST : destination;
}
