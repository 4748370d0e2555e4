import { strokesOf } from '../devices/i8042/mod.ts';
import type { BoardConfig, MachineStats, UserInput } from '../machine/config.ts';
import {
  ControlBlock,
  KEYS_BYTES,
  type MachineEnd,
  type MachineMessage,
  type ScreenPicture,
  writeInputs,
} from '../platform/mod.ts';
import { type ImageLock, lockDisks } from '../platform/node/disk/mod.ts';
import {
  codeArchivePlace,
  type MachineThread,
  type NetworkThread,
  prepareMachineThread,
  startMachineThread,
  startNetworkThread,
  startVsockThread,
  type VsockThread,
} from '../platform/node/mod.ts';
import { assert, VivariumError } from '../util/mod.ts';
import { MachineConsole } from './console.ts';
import { ConsoleInput } from './console-input.ts';
import { ConsoleOutput } from './console-output.ts';
import { diskSources } from './disks.ts';
import { MachineFault } from './fault.ts';
import { folderSources } from './folders.ts';
import { buildConfig, GUEST_CID } from './guest-config.ts';
import { type CheckedNetwork, checkNetwork, type ForwardedPort } from './network.ts';
import { type CheckedOptions, checkOptions, type MachineOptions } from './options.ts';
import { checkMouse, type MouseInput, type Screen } from './screen.ts';

/** How long a machine that is told to stop may take before its thread is ended, in milliseconds. */
const STOP_GRACE = 2000;

/** Where a machine is in its life. */
export type MachineState = 'created' | 'running' | 'paused' | 'ended';

/**
 * A virtual machine. It runs on a thread of its own; every method returns at once or a promise.
 *
 * @example
 * ```ts
 * await using machine = await Machine.create({ memory: '512M' });
 * await machine.start();
 * await machine.console.waitFor('# ');
 * await machine.console.write('poweroff\n');
 * const end = await machine.wait(); // { kind: 'shutdown' }
 * ```
 */
export class Machine implements AsyncDisposable {
  readonly console: MachineConsole;
  #control: ControlBlock;
  #network: NetworkThread | undefined;
  #vsock: VsockThread | undefined;
  #imageLock: ImageLock;
  #notice: (message: string) => void;
  #output: ConsoleOutput;
  #input: ConsoleInput;
  #thread: MachineThread;
  #state: MachineState = 'created';
  #ready = Promise.withResolvers<void>();
  #end = Promise.withResolvers<MachineEnd>();
  #lastStats: MachineStats | undefined;
  #screen: readonly string[] | undefined;
  #picture: ScreenPicture | undefined;
  #screenWaiters: (() => void)[] = [];
  #statsWaiters: ((stats: MachineStats | undefined) => void)[] = [];
  #pauseWaiters: (() => void)[] = [];

  private constructor(
    config: BoardConfig,
    checked: CheckedOptions,
    control: ControlBlock,
    network: NetworkThread | undefined,
    vsock: VsockThread | undefined,
    imageLock: ImageLock,
  ) {
    const { noReboot, boardModule } = checked;
    const codeArchive = codeArchivePlace(checked.codeArchive);
    this.#control = control;
    this.#network = network;
    this.#vsock = vsock;
    this.#imageLock = imageLock;
    this.#notice = checked.notice ?? (() => {});
    this.#output = new ConsoleOutput((bytes) => this.#control.outputConsumed(bytes));
    this.#input = new ConsoleInput(this.#control);
    this.console = new MachineConsole(this.#output, this.#input);
    // Failures reach whoever asks; a machine that nobody waits for ends quietly.
    this.#end.promise.catch(() => {});
    this.#control.pause();
    this.#thread = startMachineThread(
      {
        config,
        noReboot,
        disks: diskSources(checked),
        folders: folderSources(checked.folders),
        control: this.#control.buffer,
        ...(network === undefined ? {} : { network: network.memory }),
        ...(vsock === undefined ? {} : { vsock: vsock.memory }),
        ...(codeArchive === undefined ? {} : { codeArchive }),
        ...(boardModule === undefined ? {} : { boardModule }),
      },
      (message) => this.#receive(message),
    );
  }

  /**
   * Builds a machine that is ready to start. Rejects with a `VivariumError` for everything the
   * caller can mend: options, unreadable images, a kernel that is none or does not fit.
   */
  static async create(options: MachineOptions = {}): Promise<Machine> {
    const checked = checkOptions(options);
    const network = checkNetwork(checked);
    folderSources(checked.folders);
    codeArchivePlace(checked.codeArchive);
    const imageLock = lockDisks(diskSources(checked));
    try {
      return await Machine.#create(checked, network, imageLock);
    } catch (error) {
      imageLock.release();
      throw error;
    }
  }

  static async #create(
    checked: CheckedOptions,
    network: CheckedNetwork | undefined,
    imageLock: ImageLock,
  ): Promise<Machine> {
    prepareMachineThread();
    const config = await buildConfig(checked, network);
    const control = new ControlBlock();
    const failure = Promise.withResolvers<Error>();
    const thread =
      network &&
      (await startNetworkThread({
        config: network.config,
        dump: network.dump,
        control: control.buffer,
        failed: (error) => failure.resolve(error),
      }));
    const vsock =
      checked.vsock === undefined
        ? undefined
        : await startVsockThread({
            path: checked.vsock,
            cid: GUEST_CID,
            control: control.buffer,
            failed: (error) => failure.resolve(error),
          }).catch(async (error: unknown) => {
            await thread?.terminate();
            throw error;
          });
    const machine = new Machine(config, checked, control, thread, vsock, imageLock);
    failure.promise.then((error) => machine.#fail(error));
    await machine.#ready.promise;
    return machine;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** The ports of the host that lead into the machine. */
  get ports(): readonly ForwardedPort[] {
    return (this.#network?.forwards ?? []).map(({ forward, hostPort }) => ({
      ...forward,
      hostPort,
    }));
  }

  /** Starts the machine. Harmless when it runs already. */
  async start(): Promise<void> {
    this.#resume();
  }

  /** Lets the guest stand still; its clock stands too. Resolves when it does. */
  async pause(): Promise<void> {
    this.#expectAlive();
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pauseWaiters.push(resolve);
    this.#control.pause();
    await promise;
  }

  /** Lets a paused guest go on. Harmless when it runs. */
  async resume(): Promise<void> {
    this.#resume();
  }

  /** Pulls the reset line: the machine begins again with the images it was created with. */
  async reset(): Promise<void> {
    this.#expectAlive();
    this.#control.reset();
  }

  /** Presses the power button: asks the guest to shut down. `wait` tells when it has. */
  async pressPowerButton(): Promise<void> {
    this.#expectAlive();
    this.#control.pressPowerButton();
  }

  /** Switches the machine off, as by pulling the plug. Resolves when it is off; harmless then. */
  async stop(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#control.stop();
    const grace = setTimeout(() => this.#finish({ kind: 'stopped' }), STOP_GRACE);
    await this.#end.promise.catch(() => {});
    clearTimeout(grace);
    await this.#thread.terminate();
    await this.#network?.terminate();
    await this.#vsock?.terminate();
  }

  /**
   * How the machine ended, once it has. Rejects with a `VivariumError` when the guest needs what
   * Vivarium does not have, and with a `MachineFault` for a fault of our own.
   */
  wait(): Promise<MachineEnd> {
    return this.#end.promise;
  }

  /** Counters of the machine so far; of its whole life once it has ended. */
  async stats(): Promise<MachineStats> {
    let stats = this.#lastStats;
    if (this.#state !== 'ended') {
      const { promise, resolve } = Promise.withResolvers<MachineStats | undefined>();
      this.#statsWaiters.push(resolve);
      this.#control.requestStats();
      stats = await promise;
    }
    if (stats === undefined) {
      throw new VivariumError('machine-ended', 'the machine ended without statistics');
    }
    return stats;
  }

  /** Lines of text on the screen, now or at the end; undefined when it shows none. */
  async screenText(): Promise<readonly string[] | undefined> {
    await this.stats();
    return this.#screen;
  }

  /** What stands on the screen, now or at the end; undefined when there is none or it shows nothing. */
  async screen(): Promise<Screen | undefined> {
    if (this.#state !== 'ended') {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#screenWaiters.push(resolve);
      this.#control.requestScreen();
      await promise;
    }
    if (this.#picture === undefined) return undefined;
    return { ...this.#picture, ...(this.#screen && { lines: this.#screen }) };
  }

  /**
   * Types on the machine's keyboard, a US one, at the speed of a quick person. A newline is Enter;
   * `<name>` is a key with a name, as `<esc>`, `<f12>`, `<up>`, with others held as in `<ctrl-c>`;
   * `<lt>` is a plain `<`. Resolves when the keys are on their way. Rejects with `key-unknown` for a
   * key that there is not, and with `keyboard-busy` when too much waits already.
   */
  async type(text: string): Promise<void> {
    this.#enter(strokesOf(text).map((codes) => ({ kind: 'key', codes })));
  }

  /** Moves the machine's mouse, and presses its buttons: those not named are up. */
  async moveMouse(input: MouseInput): Promise<void> {
    this.#enter([checkMouse(input)]);
  }

  #enter(inputs: readonly UserInput[]): void {
    this.#expectAlive();
    if (!writeInputs(this.#control.keys, inputs, KEYS_BYTES)) {
      const message = 'the guest has not read what was typed before; try again later';
      throw new VivariumError('keyboard-busy', message);
    }
    this.#control.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #resume(): void {
    this.#expectAlive();
    this.#state = 'running';
    this.#settlePauses();
    this.#control.resume();
  }

  #expectAlive(): void {
    if (this.#state === 'ended') throw new VivariumError('machine-ended', 'the machine has ended');
  }

  #receive(message: MachineMessage): void {
    switch (message.kind) {
      case 'ready':
        this.#ready.resolve();
        return;
      case 'paused':
        this.#settlePauses();
        return;
      case 'output':
        this.#output.push(message.bytes);
        return;
      case 'room':
        this.#input.pump();
        return;
      case 'stats':
        this.#screen = message.screen;
        this.#settleStats(message.stats);
        return;
      case 'screen':
        this.#screen = message.text;
        this.#picture = message.picture;
        this.#settleScreens();
        return;
      case 'notice':
        this.#notice(message.text);
        return;
      case 'ended':
        this.#imageLock.release();
        this.#lastStats = message.stats;
        this.#screen = message.screen;
        this.#picture = message.picture;
        this.#finish(message.end);
        return;
      case 'refused':
        this.#finish(new VivariumError(message.code, message.message));
        return;
      case 'fault':
        this.#finish(new MachineFault(message.message, message.detail));
        return;
      default:
        assert(false, 'a message of an unknown kind');
    }
  }

  /** A thread of ours has died: the machine cannot go on. */
  #fail(error: Error): void {
    this.#control.stop();
    this.#finish(new MachineFault(error.message, error.stack ?? error.message));
  }

  /** The machine is over: everything that waits for it learns so. */
  #finish(end: MachineEnd | Error): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    void this.#network?.terminate();
    void this.#vsock?.terminate();
    // A thread that did not end by itself may write until it is gone.
    void this.#thread.terminate().then(() => this.#imageLock.release());
    this.#output.end();
    this.#input.end();
    this.#settlePauses();
    this.#settleStats(this.#lastStats);
    this.#settleScreens();
    if (end instanceof Error) {
      this.#ready.reject(end);
      this.#end.reject(end);
    } else this.#end.resolve(end);
  }

  #settleStats(stats: MachineStats | undefined): void {
    this.#lastStats = stats;
    for (const resolve of this.#statsWaiters.splice(0)) resolve(stats);
  }

  #settleScreens(): void {
    for (const resolve of this.#screenWaiters.splice(0)) resolve();
  }

  #settlePauses(): void {
    for (const resolve of this.#pauseWaiters.splice(0)) resolve();
  }
}
