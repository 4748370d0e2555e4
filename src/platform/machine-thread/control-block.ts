import { ByteRing } from './byte-ring.ts';

/*
 * The block of shared memory between a machine's thread and the thread that serves its user.
 * A busy machine never returns to its event loop, so commands and input reach it here.
 *
 *   word  meaning                                                     written by
 *   0     wake: counts everything that should end a sleep             user
 *   1     pause: 1 while the machine shall stand still                user
 *   2     stop: 1 when the machine shall end                          user
 *   3     reset: 1 when a reset is wanted; the machine clears it      both
 *   4     stats: 1 when statistics are wanted; the machine clears it  both
 *   5     output: console bytes posted and not yet consumed           both
 *   6, 7  input ring: bytes written, bytes read (modulo 2^32)         user, machine
 *   8     room: 1 when the user waits for room in the input ring      both
 *   9     button: 1 when the power button was pressed                 both
 *   10,11 keys and mouse: bytes written, bytes read                   user, machine
 *   12    screen: 1 when its picture is wanted; the machine clears it both
 */
const WAKE = 0;
const PAUSE = 1;
const STOP = 2;
const RESET = 3;
const STATS = 4;
const OUTPUT = 5;
const INPUT_WRITTEN = 6;
const INPUT_READ = 7;
const ROOM = 8;
const BUTTON = 9;
const KEYS_WRITTEN = 10;
const KEYS_READ = 11;
const SCREEN = 12;
const HEADER_BYTES = 64;

/** Bytes of console input that may wait for the guest. */
const INPUT_BYTES = 1 << 16;
/** Bytes of keys and mouse that may wait for the guest. */
export const KEYS_BYTES = 1 << 16;

/** Commands, console input and output credit between a machine's thread and its user's. */
export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  /** console input, from the user to the machine */
  readonly input: ByteRing;
  /** keys and mouse, from the user to the machine; see `user-input-ring.ts` */
  readonly keys: ByteRing;
  #words: Int32Array<SharedArrayBuffer>;

  /** A new block, or another thread's view of `buffer`. */
  constructor(buffer = new SharedArrayBuffer(HEADER_BYTES + INPUT_BYTES + KEYS_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    const bytes = new Uint8Array(buffer, HEADER_BYTES, INPUT_BYTES);
    this.input = new ByteRing(bytes, this.#words, INPUT_WRITTEN, INPUT_READ);
    const keys = new Uint8Array(buffer, HEADER_BYTES + INPUT_BYTES, KEYS_BYTES);
    this.keys = new ByteRing(keys, this.#words, KEYS_WRITTEN, KEYS_READ);
  }

  // The user's side.

  pause(): void {
    this.#command(PAUSE);
  }

  resume(): void {
    Atomics.store(this.#words, PAUSE, 0);
    this.wake();
  }

  stop(): void {
    this.#command(STOP);
  }

  reset(): void {
    this.#command(RESET);
  }

  pressPowerButton(): void {
    this.#command(BUTTON);
  }

  requestStats(): void {
    this.#command(STATS);
  }

  requestScreen(): void {
    this.#command(SCREEN);
  }

  /** Says that `bytes` of posted console output have been consumed. */
  outputConsumed(bytes: number): void {
    Atomics.sub(this.#words, OUTPUT, bytes);
    this.wake();
  }

  /** Asks to be told when the machine has taken input. */
  wantRoom(): void {
    Atomics.store(this.#words, ROOM, 1);
  }

  /** Ends the machine's sleep, if it sleeps. */
  wake(): void {
    Atomics.add(this.#words, WAKE, 1);
    Atomics.notify(this.#words, WAKE);
  }

  // The machine's side.

  get wakeCount(): number {
    return Atomics.load(this.#words, WAKE);
  }

  get isPaused(): boolean {
    return Atomics.load(this.#words, PAUSE) !== 0;
  }

  get isStopped(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  takeReset(): boolean {
    return Atomics.exchange(this.#words, RESET, 0) !== 0;
  }

  takePowerButton(): boolean {
    return Atomics.exchange(this.#words, BUTTON, 0) !== 0;
  }

  takeStatsRequest(): boolean {
    return Atomics.exchange(this.#words, STATS, 0) !== 0;
  }

  takeScreenRequest(): boolean {
    return Atomics.exchange(this.#words, SCREEN, 0) !== 0;
  }

  takeRoomRequest(): boolean {
    return Atomics.exchange(this.#words, ROOM, 0) !== 0;
  }

  get outputInFlight(): number {
    return Atomics.load(this.#words, OUTPUT);
  }

  outputPosted(bytes: number): void {
    Atomics.add(this.#words, OUTPUT, bytes);
  }

  /**
   * Sleeps until the next wake-up or for `milliseconds`. `wakeCount` is what the counter said before
   * the sleeper looked for work, so a wake-up in between is not lost.
   */
  sleep(wakeCount: number, milliseconds: number): void {
    Atomics.wait(this.#words, WAKE, wakeCount, milliseconds);
  }

  #command(word: number): void {
    Atomics.store(this.#words, word, 1);
    this.wake();
  }
}
