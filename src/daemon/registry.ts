/**
 * The machines of a user, so that commands find them by name: one directory each below
 * `$XDG_STATE_HOME/vivarium/machines`, or `~/.local/state/vivarium/machines` (XDG Base Directory
 * Specification), for this user alone.
 *
 *   NAME/machine.json   the record
 *   NAME/control.sock   answers while the machine lives, see `control-server.ts`
 *   NAME/console.log    what a machine in the background printed
 *   NAME/messages.log   what `viv` had to say about it
 *
 * A directory is made under another name and renamed when its socket answers: so a name is taken in
 * one step, by one machine, and what does not answer is dead.
 */
import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { VivariumError } from '../util/mod.ts';
import { socketPath } from './control-socket.ts';
import { checkName, makeName } from './machine-name.ts';
import { type MachineEntry, type MachineRecord, parseRecord } from './machine-record.ts';

const RECORD = 'machine.json';

/** Where the machines of this user are. */
export function defaultRegistryDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['XDG_STATE_HOME'];
  const base =
    named !== undefined && isAbsolute(named) ? named : join(homedir(), '.local', 'state');
  return join(base, 'vivarium', 'machines');
}

/** What a machine tells about itself; the registry adds the rest. */
export type MachineFacts = Omit<MachineRecord, 'version' | 'id' | 'name' | 'pid' | 'startedAt'>;

export class Registry {
  readonly directory: string;

  constructor(directory: string = defaultRegistryDirectory()) {
    this.directory = directory;
  }

  /** All machines, the oldest first. What dead ones left that nobody misses is removed. */
  async list(): Promise<MachineEntry[]> {
    const names = await readdir(this.directory).catch(ignoreAbsent<string[]>([]));
    const entries = await Promise.all(
      names.filter((name) => !name.startsWith('.')).map((name) => this.#read(name)),
    );
    return entries
      .filter((entry) => entry !== undefined)
      .sort((one, other) => one.record.startedAt.localeCompare(other.record.startedAt));
  }

  /** The machine of that name; throws `machine-unknown`. */
  async find(name: string): Promise<MachineEntry> {
    const entry = await this.#read(checkName(name));
    if (entry !== undefined) return entry;
    throw new VivariumError(
      'machine-unknown',
      `there is no machine "${name}"; viv ls lists those there are`,
    );
  }

  /** The same, if it runs; throws `machine-ended` otherwise. */
  async findRunning(name: string): Promise<MachineEntry> {
    const entry = await this.find(name);
    if (entry.condition === 'running') return entry;
    throw new VivariumError('machine-ended', `the machine "${name}" does not run any more`);
  }

  /**
   * Makes a machine known. `listen` is called with the directory that the machine gets, and is to
   * answer on its control socket when it returns. Throws `name-taken`.
   */
  async claim(
    name: string | undefined,
    facts: MachineFacts,
    listen: (directory: string) => Promise<void>,
  ): Promise<Claim> {
    if (name !== undefined) await this.#expectFree(checkName(name));
    await this.#makeDirectory();
    const id = randomUUID();
    const draft = join(this.directory, `.new-${id}`);
    await mkdir(draft, { mode: 0o700 });
    try {
      await listen(draft);
      for (let attempt = 0; ; attempt++) {
        const chosen = name ?? makeName();
        const record: MachineRecord = {
          version: 1,
          id,
          name: chosen,
          pid: process.pid,
          startedAt: new Date().toISOString(),
          ...facts,
        };
        await writeFile(join(draft, RECORD), JSON.stringify(record), { mode: 0o600 });
        try {
          await rename(draft, join(this.directory, chosen));
          return new Claim(join(this.directory, chosen), record);
        } catch (error) {
          if (!isOccupied(error)) throw error;
        }
        // A dead machine may have left the directory; reading it clears that away.
        if (name !== undefined) await this.#expectFree(name);
        if (attempt > 20) throw nameTaken(chosen);
      }
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw error;
    }
  }

  /** Forgets a machine that does not run, with its logs. */
  async remove(entry: MachineEntry): Promise<void> {
    const away = join(this.directory, `.old-${randomUUID()}`);
    try {
      await rename(entry.directory, away);
    } catch (error) {
      return ignoreAbsent(undefined)(error);
    }
    // Somebody may have taken the name since: give it back.
    const moved = parseRecord(await readFile(join(away, RECORD), 'utf8').catch(() => ''));
    if (moved !== undefined && moved.id !== entry.record.id) await rename(away, entry.directory);
    else await rm(away, { recursive: true, force: true });
  }

  async #read(name: string): Promise<MachineEntry | undefined> {
    const directory = join(this.directory, name);
    const record = parseRecord(await readFile(join(directory, RECORD), 'utf8').catch(() => ''));
    if (record === undefined) return undefined;
    if (await answers(directory)) return { record, condition: 'running', directory };
    const condition = record.ended === undefined ? 'lost' : 'ended';
    const entry: MachineEntry = { record, condition, directory };
    // A machine on a terminal leaves nothing that is worth keeping.
    if (record.background) return entry;
    await this.remove(entry);
    return undefined;
  }

  async #expectFree(name: string): Promise<void> {
    const entry = await this.#read(name);
    if (entry?.condition === 'running') throw nameTaken(name);
    if (entry !== undefined) {
      throw new VivariumError(
        'name-taken',
        `there was a machine "${name}", and its logs are kept; forget it with viv rm ${name}, ` +
          'or choose another name',
      );
    }
  }

  async #makeDirectory(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      const { uid, mode } = await stat(this.directory);
      if (uid !== process.getuid?.()) throw new Error('it belongs to somebody else');
      if ((mode & 0o077) !== 0) await chmod(this.directory, 0o700);
    } catch (error) {
      throw new VivariumError(
        'registry-unusable',
        `cannot keep the list of machines in ${this.directory}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}

/** A machine's own entry, in the hands of the machine. */
export class Claim {
  readonly directory: string;
  #record: MachineRecord;
  #isOver = false;

  constructor(directory: string, record: MachineRecord) {
    this.directory = directory;
    this.#record = record;
  }

  get record(): MachineRecord {
    return this.#record;
  }

  get name(): string {
    return this.#record.name;
  }

  /**
   * The machine is over: one on a terminal is forgotten, one in the background says how it ended.
   * For the last moment of a process: returns when it is done. Harmless when it was done before.
   */
  end(code: number): void {
    if (this.#isOver) return;
    if (!this.#record.background) {
      this.forget();
      return;
    }
    this.#isOver = true;
    this.#record = { ...this.#record, ended: { at: new Date().toISOString(), code } };
    const next = join(this.directory, `.${RECORD}`);
    writeFileSync(next, JSON.stringify(this.#record), { mode: 0o600 });
    renameSync(next, join(this.directory, RECORD));
  }

  /** Removes the entry, whatever it is. */
  forget(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** True when somebody answers on the control socket in a directory. */
async function answers(directory: string): Promise<boolean> {
  let address: ReturnType<typeof socketPath>;
  try {
    address = socketPath(directory);
  } catch {
    return false;
  }
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(address.path);
  socket.on('connect', () => resolve(true));
  // A queue of callers that is full has somebody behind it.
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  try {
    return await promise;
  } finally {
    socket.destroy();
    address.close();
  }
}

function nameTaken(name: string): VivariumError {
  return new VivariumError('name-taken', `a machine with the name "${name}" runs already`);
}

function isOccupied(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOTEMPTY' || code === 'EEXIST';
}

function ignoreAbsent<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return instead;
    throw error;
  };
}
