/** A wire between two TCP ends that loses, repeats, delays and reorders, as its seed says. */
import { type FakeClock, seededRandom } from '../test-kit.fixture.ts';
import { parseTcp, type TcpFields, type TcpSegment, writeTcp } from '../wire/tcp.ts';
import type { TcpOutput, TcpPayload } from './connection.ts';

export interface WireFaults {
  readonly seed: number;
  /** chances from 0 to 1 */
  readonly loss?: number;
  readonly repeat?: number;
  /** largest extra delay in nanoseconds: reorders what is sent within it */
  readonly jitter?: number;
}

/** One direction of a wire. */
export class LossyWire {
  readonly #clock: FakeClock;
  readonly #faults: WireFaults;
  readonly #random: () => number;
  /** where segments come out; set by the test */
  deliver: (segment: TcpSegment) => void = () => {};
  /** segments that were sent, with the data each carried */
  segments = 0;
  lost = 0;

  constructor(clock: FakeClock, faults: WireFaults) {
    this.#clock = clock;
    this.#faults = faults;
    this.#random = seededRandom(faults.seed);
  }

  /** Puts a segment on the wire; it is encoded and decoded as it would be in a packet. */
  send(fields: TcpFields, payload: TcpPayload | undefined): void {
    const bytes = new Uint8Array(60 + (payload?.bytes ?? 0));
    const headerBytes = writeTcp(bytes, 0, fields);
    payload?.queue.copy(payload.from, payload.bytes, bytes, headerBytes);
    const segment = parseTcp(bytes.subarray(0, headerBytes + (payload?.bytes ?? 0)));
    if (segment === undefined) throw new Error('an impossible segment was sent');
    this.segments++;
    const { loss = 0, repeat = 0 } = this.#faults;
    if (this.#random() < loss) this.lost++;
    else this.#schedule(segment);
    if (this.#random() < repeat) this.#schedule(segment);
  }

  #schedule(segment: TcpSegment): void {
    const delay = 1e6 + this.#random() * (this.#faults.jitter ?? 0);
    this.#clock.timer(() => this.deliver(segment)).arm(this.#clock.now() + delay);
  }
}

/** The output of an end onto a wire. */
export function outputOnto(wire: LossyWire, options: { burst?: number } = {}): TcpOutput {
  return {
    burstBytes: (mss) => options.burst ?? mss,
    send: (fields, _mss, payload) => {
      wire.send(fields, payload);
      return true;
    },
    isStalled: false,
    wantFlush: () => {},
    forget: () => {},
  };
}
