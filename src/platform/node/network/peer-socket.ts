import type { Socket } from 'node:net';
import type { PeerStream, SwitchPort } from '../../../net/mod.ts';

/** Joins a connected socket to a port of a switch. */
export function joinSocket(port: SwitchPort, socket: Socket, isOurs: boolean): void {
  let isCorked = false;
  const stream: PeerStream = {
    write(bytes) {
      if (!isCorked) socket.cork();
      isCorked = true;
      socket.write(bytes);
    },
    flush() {
      isCorked = false;
      socket.uncork();
    },
    get backlog() {
      return socket.writableLength;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
  };
  socket.on('error', () => {}); // the end is told by `close`
  const events = port.join(stream, isOurs);
  socket.on('data', (bytes) => events.data(bytes));
  socket.on('drain', () => events.drained());
  socket.on('close', () => events.closed());
}
