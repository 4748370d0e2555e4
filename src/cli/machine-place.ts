import { join } from 'node:path';
import { type Machine, VivariumError } from '../client/mod.ts';
import { type BackgroundProcess, type Claim, ControlServer, Registry } from '../daemon/mod.ts';
import { EXIT_FAULT, EXIT_USER } from './exit-code.ts';
import { say } from './messages.ts';
import type { RunOptions } from './run-options.ts';

/** A port number has to fit behind it into the address of a Unix socket. */
const LONGEST_VSOCK_PATH = 96;

/** A machine's place among the machines of its user: its name, and the socket on which it answers. */
export class MachinePlace {
  #claim: Claim | undefined;
  #server: ControlServer | undefined;
  #background: BackgroundProcess | undefined;
  #hasStarted = false;
  #leaveAtExit = (code: number) => this.#end(code);

  private constructor(background: BackgroundProcess | undefined) {
    this.#background = background;
  }

  /** Takes the name that the options give, or makes one up. Throws when it is taken. */
  static async take(
    options: RunOptions,
    background: BackgroundProcess | undefined,
  ): Promise<MachinePlace> {
    const place = new MachinePlace(background);
    try {
      await place.#take(options);
    } catch (error) {
      const isNeeded = options.name !== undefined || background !== undefined;
      if (isNeeded || !isEnvironments(error)) throw error;
      say(`other commands will not find this machine: ${(error as Error).message}`);
    }
    return place;
  }

  /** Where the console of a machine in the background is logged. */
  get logDirectory(): string | undefined {
    return this.#background === undefined ? undefined : this.#claim?.directory;
  }

  /** Where the machine's vsock can be, for commands that enter the guest. */
  get vsockPath(): string | undefined {
    if (this.#claim === undefined) return undefined;
    const path = join(this.#claim.directory, 'vsock.sock');
    return Buffer.byteLength(path) <= LONGEST_VSOCK_PATH ? path : undefined;
  }

  /** From now on other commands reach the machine, and through `vsock` its guest. */
  serve(machine: Machine, vsock: string | undefined): void {
    if (this.#claim === undefined) return;
    this.#server?.serve({ machine, record: this.#claim.record, vsock });
  }

  /** The machine runs. */
  async started(): Promise<void> {
    this.#hasStarted = true;
    if (this.#claim !== undefined) await this.#background?.started(this.#claim.name);
  }

  /** The machine is over, and `code` is what the process will exit with. */
  ended(code: number): void {
    this.#end(code);
  }

  /** Gives everything back. A machine that never ran is forgotten. */
  leave(): void {
    this.#server?.close();
    if (!this.#hasStarted) this.#end(EXIT_USER);
  }

  async #take(options: RunOptions): Promise<void> {
    const facts = {
      background: this.#background !== undefined,
      directory: process.cwd(),
      boots: describeBoot(options),
      memory: options.memory,
      image: options.image,
    };
    this.#claim = await new Registry().claim(options.name, facts, async (directory) => {
      this.#server = await ControlServer.listen(directory);
      this.#background?.moveMessages(directory);
    });
    process.on('exit', this.#leaveAtExit);
  }

  #end(code: number | undefined): void {
    if (this.#hasStarted) this.#claim?.end(code ?? EXIT_FAULT);
    else this.#claim?.forget();
  }
}

/** True for what the place where this runs does not allow; a machine can do without a name. */
function isEnvironments(error: unknown): boolean {
  if (error instanceof VivariumError) return error.code === 'registry-unusable';
  return (error as NodeJS.ErrnoException).code !== undefined;
}

function describeBoot(options: RunOptions): string {
  const { image, kernel, cdrom, disk, firmware } = options;
  if (image !== undefined) return image;
  if (typeof kernel === 'string') return kernel;
  return cdrom ?? disk[0]?.path ?? firmware ?? 'the default guest';
}
