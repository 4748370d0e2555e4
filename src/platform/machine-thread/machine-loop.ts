import type { BlockBackend, FileServer, Link } from '../../bus/mod.ts';
import type { BatchCompiler, RegionWorkshop, WorkshopPlace } from '../../engine/mod.ts';
import type {
  BoardConfig,
  BoardHost,
  MachineStats,
  RunOutcome,
  StopReason,
  UserInput,
} from '../../machine/config.ts';
import type { ControlBlock } from './control-block.ts';
import type { MachineEnd, MachineMessage, ScreenPicture } from './messages.ts';
import { OutputCollector } from './output-collector.ts';
import { PausableClock } from './pausable-clock.ts';
import { addStats } from './stats-sum.ts';
import { readInputs } from './user-input-ring.ts';

/** Guest time between two looks at the control block, in nanoseconds. */
const SLICE = 2_000_000;
/** Console bytes that may be under way to the user before the guest has to wait. */
const OUTPUT_LIMIT = 256 * 1024;
/** Console bytes offered to the board at a time. */
const INPUT_CHUNK = 4096;

/** The part of `Board` that the loop drives. */
export interface RunnableBoard {
  runFor(nanoseconds: number): RunOutcome;
  /** Offers console input; returns how many bytes were taken. */
  consoleInput(bytes: Uint8Array): number;
  /** Takes in what has arrived for the devices from outside; true when an idle guest should run. */
  poll?(): boolean;
  /** the power button is pressed */
  pressPowerButton?(): void;
  stats(): MachineStats;
  /** Offers keys and mouse; false while the guest is behind with what was before. */
  userInput?(input: UserInput): boolean;
  /** what the screen shows, if there is one */
  screenPicture?(): ScreenPicture | undefined;
  /** lines of text on the screen, if it shows text */
  screenText?(): readonly string[] | undefined;
}

/** Builds boards; the class `Board` itself, or a test's stand-in. */
export interface BoardMaker {
  create(config: BoardConfig, host: BoardHost): RunnableBoard;
}

/** What the loop needs of the thread it runs on. */
export interface LoopHost {
  /** Monotonic nanoseconds. */
  now(): number;
  epochMilliseconds(): number;
  cpuSeconds(): number;
  post(message: MachineMessage): void;
  fillRandom?(target: Uint8Array<ArrayBuffer>): void;
  /** who translates beside the guest; one at a time */
  openWorkshop?(place: WorkshopPlace): RegionWorkshop | undefined;
  /** who compiles translated code for speed; one at a time */
  openBatchCompiler?(features: string): BatchCompiler | undefined;
  /** contents of the disks; closed when the machine ends */
  readonly disks?: readonly BlockBackend[];
  /** who keeps the host's ends of the guest's sockets */
  readonly vsock?: Link | undefined;
  /** the files of shared folders */
  readonly folders?: readonly FileServer[];
  /** the network that the machine is connected to */
  readonly network?: Link | undefined;
}

/**
 * Owns a board for the life of a machine: runs it in slices, and between slices obeys the control
 * block, feeds console input and posts console output. Sleeps while the guest is idle, while the
 * machine is paused, and while the user is behind with the output.
 */
export class MachineLoop {
  #boards: BoardMaker;
  #config: BoardConfig;
  #noReboot: boolean;
  #control: ControlBlock;
  #host: LoopHost;
  #output = new OutputCollector();
  #board: RunnableBoard;
  #clock: PausableClock;
  #paused = true;
  /** guest time before which an idle guest need not run */
  #idleUntil = 0;
  /** counters of the boards before the last reset */
  #past: MachineStats | undefined;
  #resets = 0;

  /** Builds the first board; throws what `Board.create` throws. */
  constructor(
    boards: BoardMaker,
    config: BoardConfig,
    noReboot: boolean,
    control: ControlBlock,
    host: LoopHost,
  ) {
    this.#boards = boards;
    this.#config = config;
    this.#noReboot = noReboot;
    this.#control = control;
    this.#host = host;
    this.#clock = new PausableClock(() => host.now());
    this.#board = this.#createBoard();
    host.post({ kind: 'ready' });
  }

  /** Runs the machine to its end. */
  run(): void {
    let end: MachineEnd | undefined;
    while (end === undefined) end = this.#turn();
    this.#flush();
    for (const disk of this.#host.disks ?? []) disk.close();
    this.#host.post({
      kind: 'ended',
      end,
      stats: this.stats(),
      ...this.#screen(),
      ...this.#picture(),
    });
  }

  #screen(): { screen?: readonly string[] } {
    const screen = this.#board.screenText?.();
    return screen === undefined ? {} : { screen };
  }

  #picture(): { picture?: ScreenPicture } {
    const picture = this.#board.screenPicture?.();
    return picture === undefined ? {} : { picture };
  }

  #postScreen(): void {
    const text = this.#board.screenText?.();
    this.#host.post({ kind: 'screen', ...(text && { text }), ...this.#picture() });
  }

  stats(): MachineStats {
    const stats = addStats(this.#past, this.#board.stats());
    return { ...stats, resets: this.#resets };
  }

  /** Obeys, then runs one slice or sleeps. Returns how the machine ended, if it did. */
  #turn(): MachineEnd | undefined {
    const wakeCount = this.#control.wakeCount;
    if (this.#control.isStopped) return { kind: 'stopped' };
    if (this.#control.takeReset()) this.#reset();
    if (this.#control.takePowerButton()) {
      this.#board.pressPowerButton?.();
      this.#idleUntil = 0;
    }
    if (this.#control.takeStatsRequest()) {
      this.#host.post({ kind: 'stats', stats: this.stats(), ...this.#screen() });
    }
    if (this.#control.takeScreenRequest()) this.#postScreen();
    if (this.#mustStandStill()) {
      this.#control.sleep(wakeCount, Number.POSITIVE_INFINITY);
      return undefined;
    }
    const hasKeys = readInputs(
      this.#control.keys,
      (input) => this.#board.userInput?.(input) ?? true,
    );
    const hasInput = this.#feedInput() || hasKeys;
    const isWoken = (this.#board.poll?.() ?? false) || hasInput;
    const idle = isWoken ? 0 : this.#idleUntil - this.#clock.now();
    if (idle > 0) {
      this.#control.sleep(wakeCount, idle / 1e6);
      return undefined;
    }
    return this.#slice();
  }

  #slice(): StopReason | undefined {
    const outcome = this.#board.runFor(SLICE);
    this.#flush();
    this.#idleUntil = outcome.kind === 'idle' ? outcome.until : 0;
    if (outcome.kind !== 'stopped') return undefined;
    if (outcome.reason.kind === 'reset' && !this.#noReboot) {
      this.#reset();
      return undefined;
    }
    return outcome.reason;
  }

  #mustStandStill(): boolean {
    const isPaused = this.#control.isPaused;
    if (isPaused !== this.#paused) {
      this.#paused = isPaused;
      if (isPaused) {
        this.#clock.stop();
        this.#host.post({ kind: 'paused' });
      } else this.#clock.start();
    }
    return isPaused || this.#control.outputInFlight > OUTPUT_LIMIT;
  }

  /** Offers waiting input to the board; true when it took some. */
  #feedInput(): boolean {
    const { input } = this.#control;
    let taken = 0;
    while (input.length > 0) {
      const chunk = input.peek(INPUT_CHUNK);
      const accepted = this.#board.consoleInput(chunk);
      input.skip(accepted);
      taken += accepted;
      if (accepted < chunk.length) break;
    }
    if (taken > 0 && this.#control.takeRoomRequest()) this.#host.post({ kind: 'room' });
    return taken > 0;
  }

  #flush(): void {
    if (this.#output.length === 0) return;
    const bytes = this.#output.take();
    this.#control.outputPosted(bytes.length);
    this.#host.post({ kind: 'output', bytes });
  }

  #reset(): void {
    this.#flush();
    this.#past = addStats(this.#past, this.#board.stats());
    this.#resets++;
    this.#clock = new PausableClock(() => this.#host.now());
    this.#board = this.#createBoard();
    this.#idleUntil = 0;
    if (!this.#paused) this.#clock.start();
  }

  /** Guest time stands at zero while a board is built. */
  #createBoard(): RunnableBoard {
    const clock = this.#clock;
    const { fillRandom, openWorkshop, openBatchCompiler } = this.#host;
    return this.#boards.create(this.#config, {
      now: () => clock.now(),
      epochMilliseconds: () => this.#host.epochMilliseconds(),
      cpuSeconds: () => this.#host.cpuSeconds(),
      consoleOutput: (bytes) => this.#output.add(bytes),
      ...(fillRandom === undefined ? {} : { fillRandom }),
      ...(openWorkshop === undefined ? {} : { openWorkshop }),
      ...(openBatchCompiler === undefined ? {} : { openBatchCompiler }),
      ...(this.#host.disks === undefined ? {} : { disks: this.#host.disks }),
      ...(this.#host.vsock === undefined ? {} : { vsock: this.#host.vsock }),
      ...(this.#host.folders === undefined ? {} : { folders: this.#host.folders }),
      ...(this.#host.network === undefined ? {} : { network: this.#host.network }),
    });
  }
}
