/** The entry of the thread that keeps the host's ends of a guest's sockets. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { RingLink } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { VsockHub } from '../../../vsock/mod.ts';
import { ControlBlock } from '../../machine-thread/control-block.ts';
import { Doorbell } from '../network/doorbell.ts';
import type { VsockMessage, VsockStart } from './messages.ts';
import { connectUnix, listenUnix } from './unix-listener.ts';

const start = workerData as VsockStart;

function post(message: VsockMessage): void {
  parentPort?.postMessage(message);
}

const control = new ControlBlock(start.control);
const doorbell = new Doorbell(start.doorbell);
const link = new RingLink(start.link, 1, () => control.wake());

try {
  const hub = new VsockHub({
    link,
    guestCid: start.cid,
    host: { connect: (port, events) => connectUnix(start.path, port, events) },
  });
  const server = await listenUnix(start.path, hub);
  parentPort?.on('message', () => {
    server.close(); // takes the socket's file away
    parentPort?.close();
    process.exit(0);
  });
  post({ kind: 'open' });
  for (;;) {
    const { count } = doorbell;
    link.poll();
    // Sockets get their turn between bursts of packets.
    if (link.hasNews) await setImmediate();
    else await doorbell.next(count);
  }
} catch (error) {
  if (!(error instanceof VivariumError)) throw error;
  post({ kind: 'refused', code: error.code, message: error.message });
}
