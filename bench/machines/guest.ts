/** A machine that runs the benchmark guest: Vivarium or a peer. */
import { Session } from '../../test/guests/session.ts';
import type { Workload } from '../workloads.ts';
import { cpuSeconds, residentMebibytes } from './process-usage.ts';
import { type BootFiles, startQemu } from './qemu.ts';
import type { Sample, Subject } from './subject.ts';

/** Longer than any workload takes under any engine. */
const PATIENCE_SECONDS = 400;

export class Guest implements Subject {
  readonly name: string;
  #start: () => Session;
  #session: Session;
  #mostResident = 0;

  private constructor(name: string, start: () => Session) {
    this.name = name;
    this.#start = start;
    this.#session = start();
  }

  /** Boots the guest under QEMU and waits until it takes workloads. */
  static async qemu(files: BootFiles): Promise<Guest> {
    return await new Guest('qemu', () => startQemu(files)).#ready();
  }

  /** Boots the guest under Vivarium, through its programming interface. */
  static async vivarium(files: BootFiles, engine: string): Promise<Guest> {
    const program = new URL('./vivarium-process.ts', import.meta.url).pathname;
    const arguments_ = [program, JSON.stringify({ ...files, engine })];
    const start = () => new Session(process.execPath, arguments_, { hasChannel: true });
    return await new Guest('vivarium', start).#ready();
  }

  /** Runs a workload. When the guest does not survive that, it is booted anew, and the status is -1. */
  async run(workload: Workload): Promise<Sample> {
    try {
      return await this.#measure(workload);
    } catch (error) {
      this.#noteMemory();
      await this.#session[Symbol.asyncDispose]();
      this.#session = this.#start();
      await this.#ready();
      const output = error instanceof Error ? error.message : String(error);
      return { wall: Number.NaN, cpu: Number.NaN, status: -1, output };
    }
  }

  resident(): number {
    this.#noteMemory();
    return this.#mostResident;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.type('off\n');
    const grace = new Promise((resolve) => setTimeout(resolve, 5000).unref());
    await Promise.race([this.#session.ended, grace]);
    await this.#session[Symbol.asyncDispose]();
  }

  async #ready(): Promise<this> {
    await this.#session.expect(/@ready [^@]*@/, PATIENCE_SECONDS);
    return this;
  }

  async #measure({ name, line }: Workload): Promise<Sample> {
    const session = this.#session;
    const id = name.replaceAll(/[^a-z0-9]/gi, '');
    const instructionsBefore = await this.#instructions();
    session.type(`${id} ${line}\n`);
    await session.expect(`@start ${id}@`);
    const [startWall, startCpu] = [performance.now(), this.#cpu()];
    const done = await session.expect(new RegExp(`@done ${id} (\\d+)@\r*\n`), PATIENCE_SECONDS);
    const [wall, cpu] = [(performance.now() - startWall) / 1000, this.#cpu() - startCpu];
    const printed = await session.expect(new RegExp(`^([^]*?)@printed ${id}@`));
    const instructions = await this.#instructions();
    return {
      wall,
      cpu,
      status: Number(done[1]),
      output: (printed[1] as string).replaceAll('\r', ''),
      ...(instructions === undefined || instructionsBefore === undefined
        ? {}
        : { instructions: instructions - instructionsBefore }),
    };
  }

  /** Guest instructions so far, if the machine has a channel to ask it. */
  async #instructions(): Promise<number | undefined> {
    const { process } = this.#session;
    if (process.send === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<number>();
    process.once('message', (count) => resolve(Number(count)));
    process.send('instructions');
    return await promise;
  }

  #cpu(): number {
    return cpuSeconds(this.#session.process.pid as number);
  }

  #noteMemory(): void {
    const { most } = residentMebibytes(this.#session.process.pid as number);
    if (most > this.#mostResident) this.#mostResident = most;
  }
}
