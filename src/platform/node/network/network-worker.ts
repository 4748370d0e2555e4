/** The entry of a network's worker thread in Node: the user-mode network and the sockets it is made of. */
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { CapturedLink, RingLink, UserNetwork } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { ControlBlock } from '../../machine-thread/control-block.ts';
import { CaptureFile } from './capture-file.ts';
import { Doorbell } from './doorbell.ts';
import type { NetworkMessage, NetworkStart } from './messages.ts';
import { NodeClock } from './node-clock.ts';
import { NodeSockets } from './node-sockets.ts';

const start = workerData as NetworkStart;

function post(message: NetworkMessage): void {
  parentPort?.postMessage(message);
}

const control = new ControlBlock(start.control);
const doorbell = new Doorbell(start.doorbell);
const ring = new RingLink(start.link, 1, () => control.wake());

try {
  const capture = start.dump === undefined ? undefined : new CaptureFile(start.dump);
  const network = new UserNetwork({
    link:
      capture === undefined
        ? ring
        : new CapturedLink(ring, (frame, offload) => capture.add(frame, offload)),
    clock: new NodeClock(),
    host: new NodeSockets(),
    random: () => randomBytes(4).readUInt32BE(),
    config: start.config,
  });
  post({ kind: 'open', forwards: await network.open() });
  parentPort?.on('message', () => {}); // keeps the thread until it is ended
  for (;;) {
    const { count } = doorbell;
    ring.poll();
    // Sockets get their turn between bursts of frames.
    if (ring.hasNews) await setImmediate();
    else await doorbell.next(count);
  }
} catch (error) {
  if (!(error instanceof VivariumError)) throw error;
  post({ kind: 'refused', code: error.code, message: error.message });
}
