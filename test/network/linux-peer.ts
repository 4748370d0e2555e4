/** The user-mode network with this host's own Linux as its guest, over a wire that may be bad. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import {
  type FrameOffload,
  type GsoKind,
  type Link,
  type LinkReceiver,
  PLAIN_FRAME,
} from '../../src/bus/mod.ts';
import { UserNetwork } from '../../src/net/mod.ts';
import { seededRandom } from '../../src/net/test-kit.fixture.ts';
import { parseNetwork } from '../../src/net/user/config.ts';
import { NodeClock } from '../../src/platform/node/network/node-clock.ts';
import { NodeSockets } from '../../src/platform/node/network/node-sockets.ts';

const HELPER = new URL('./linux-peer.py', import.meta.url).pathname;
const VNET_BYTES = 10;

/** Why this host cannot run these tests, or false when it can. */
export function whyNot(): string | false {
  const probe = ['-n', 'python3', '-c', "import os; os.open('/dev/net/tun', os.O_RDWR)"];
  return spawnSync('unshare', probe, { stdio: 'ignore' }).status === 0
    ? false
    : 'needs python3, /dev/net/tun and the right to make network namespaces';
}

export interface WireSettings {
  readonly seed?: number;
  /** chances from 0 to 1, in each direction */
  readonly loss?: number;
  readonly repeat?: number;
  /** chance that a frame is late by up to 3 ms */
  readonly late?: number;
  readonly offload?: boolean;
  readonly forwards?: readonly string[];
}

/** The end of the wire that the network has. */
class PipeLink implements Link {
  readonly offloads;
  isDrained = true;
  readonly #child: ChildProcess;
  readonly #settings: WireSettings;
  readonly #random: () => number;
  #receiver: LinkReceiver | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(child: ChildProcess, settings: WireSettings) {
    const offload = settings.offload ?? false;
    this.offloads = { checksum: offload, tcp4: offload, tcp6: offload };
    this.#child = child;
    this.#settings = settings;
    this.#random = seededRandom(settings.seed ?? 1);
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  connect(receiver: LinkReceiver): void {
    this.#receiver = receiver;
  }

  accept(): void {}

  restart(): void {}

  poll(): boolean {
    return false;
  }

  send(frame: Uint8Array, offload: FrameOffload): boolean {
    const record = Buffer.alloc(2 + VNET_BYTES + frame.length);
    record.writeUInt16LE(VNET_BYTES + frame.length, 0);
    record[2] = offload.checksum === undefined ? 0 : 1;
    record[3] = offload.gso;
    record.writeUInt16LE(offload.headerBytes, 4);
    record.writeUInt16LE(offload.segmentBytes, 6);
    record.writeUInt16LE(offload.checksum?.start ?? 0, 8);
    record.writeUInt16LE(offload.checksum?.offset ?? 0, 10);
    record.set(frame, 2 + VNET_BYTES);
    this.#unsteadily(() => this.#child.stdin?.write(record));
    return true;
  }

  #unsteadily(deliver: () => void): void {
    const { loss = 0, repeat = 0, late = 0 } = this.#settings;
    if (this.#random() < loss) return;
    if (this.#random() < late) setTimeout(deliver, 3 * this.#random());
    else deliver();
    if (this.#random() < repeat) deliver();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 2) {
      const count = this.#rest.readUInt16LE(0);
      if (this.#rest.length < 2 + count) break;
      const record = this.#rest.subarray(2, 2 + count);
      this.#rest = this.#rest.subarray(2 + count);
      this.#unsteadily(() => this.#deliver(record));
    }
  }

  #deliver(record: Buffer): void {
    const offload: FrameOffload =
      (record[0] as number) & 1
        ? {
            checksum: { start: record.readUInt16LE(6), offset: record.readUInt16LE(8) },
            gso: record[1] as GsoKind,
            headerBytes: record.readUInt16LE(2),
            segmentBytes: record.readUInt16LE(4),
          }
        : PLAIN_FRAME;
    this.#receiver?.receive(record.subarray(VNET_BYTES), offload);
    this.#receiver?.settled();
  }
}

export interface Attendance {
  /** Runs beside the scenario, from when it is ready; gets the ports that lead to the peer. */
  meanwhile?(network: UserNetwork, ports: number[]): Promise<void> | void;
  /** Runs when the scenario has its result, with the peer still on the wire. */
  afterwards?(network: UserNetwork): Promise<void>;
}

/** Runs a scenario of `linux-peer.py` and returns its result. */
export async function runScenario(
  name: string,
  settings: Record<string, unknown>,
  wire: WireSettings = {},
  { meanwhile, afterwards }: Attendance = {},
): Promise<Record<string, unknown>> {
  const words = JSON.stringify({ ...settings, offload: wire.offload });
  const child = spawn('unshare', ['-n', 'python3', HELPER, name, words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const config = parseNetwork('user', wire.forwards ?? []);
  if (config === undefined) throw new Error('no network');
  const network = new UserNetwork({
    link: new PipeLink(child, wire),
    clock: new NodeClock(),
    host: new NodeSockets(),
    random: () => randomBytes(4).readUInt32BE(),
    config,
  });
  try {
    const ports = (await network.open()).map(({ hostPort }) => hostPort);
    const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
    const said: string[] = [];
    const nextLine = async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the peer ended: ${said.join('\n')}`);
      said.push(value);
      return value;
    };
    // Anything else than the two lines that a scenario says is Python's report of an exception: all of it is wanted.
    const expect = async (isExpected: (line: string) => boolean) => {
      let line = await nextLine();
      while (!isExpected(line)) line = await nextLine();
      return line;
    };
    await expect((line) => line === '');
    const result = expect((line) => line.startsWith('{'));
    await Promise.all([result, meanwhile?.(network, ports)]);
    await afterwards?.(network);
    return JSON.parse(await result) as Record<string, unknown>;
  } finally {
    child.kill('SIGKILL');
    await ended;
    network.close();
  }
}
