/** The entry of a network's worker thread in Node: a network and the sockets it is made of. */
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Link } from '../../../bus/mod.ts';
import {
  CapturedLink,
  PORT_ID_BYTES,
  RingLink,
  SwitchPort,
  UserNetwork,
  type UserNetworkConfig,
} from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { ControlBlock } from '../../machine-thread/control-block.ts';
import { CaptureFile } from './capture-file.ts';
import { Doorbell } from './doorbell.ts';
import type { NetworkMessage, NetworkStart } from './messages.ts';
import { NodeClock } from './node-clock.ts';
import { NodeSockets } from './node-sockets.ts';
import { defaultSwitchDirectory, SwitchDirectory } from './switch-directory.ts';

const start = workerData as NetworkStart;

function post(message: NetworkMessage): void {
  parentPort?.postMessage(message);
}

const control = new ControlBlock(start.control);
const doorbell = new Doorbell(start.doorbell);
const ring = new RingLink(start.link, 1, () => control.wake());

try {
  const capture = start.dump === undefined ? undefined : new CaptureFile(start.dump);
  const link =
    capture === undefined
      ? ring
      : new CapturedLink(ring, (frame, offload) => capture.add(frame, offload));
  const { config } = start;
  if (config.kind === 'user') await openUserNetwork(link, config.user);
  else await joinSwitch(link, config.switch.name);
  parentPort?.on('message', () => {}); // keeps the thread until it is ended
  for (;;) {
    const { count } = doorbell;
    const isMoving = ring.poll();
    // Sockets get their turn between bursts of frames. Frames that nobody takes now are polled for by who does.
    if (isMoving && ring.hasNews) await setImmediate();
    else await doorbell.next(count);
  }
} catch (error) {
  if (!(error instanceof VivariumError)) throw error;
  post({ kind: 'refused', code: error.code, message: error.message });
}

async function openUserNetwork(link: Link, config: UserNetworkConfig): Promise<void> {
  const network = new UserNetwork({
    link,
    clock: new NodeClock(),
    host: new NodeSockets(),
    random: () => randomBytes(4).readUInt32BE(),
    config,
  });
  post({ kind: 'open', forwards: await network.open(), leftovers: [] });
}

async function joinSwitch(link: Link, name: string): Promise<void> {
  const id = randomBytes(PORT_ID_BYTES).toString('hex');
  const port = new SwitchPort({ id, link, clock: new NodeClock() });
  const directory = new SwitchDirectory(defaultSwitchDirectory(name), port);
  await directory.open();
  post({ kind: 'open', forwards: [], leftovers: [directory.socketPath] });
}
