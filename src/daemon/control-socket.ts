/** Where the control socket of a machine lies, however long that path is. */
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';

const SOCKET = 'control.sock';
/** What every system takes for the address of a Unix socket, with a byte for its end (unix(7)). */
const LONGEST = 103;

/** A path of the socket in `directory` that can be bound or connected to until it is closed. */
export interface SocketPath {
  readonly path: string;
  close(): void;
}

/** A path that is too long for an address is shortened: Linux reaches the directory by descriptor. */
export function socketPath(directory: string): SocketPath {
  const path = join(directory, SOCKET);
  if (Buffer.byteLength(path) <= LONGEST || process.platform !== 'linux') {
    return { path, close() {} };
  }
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    path: `/proc/self/fd/${descriptor}/${SOCKET}`,
    close: () => closeSync(descriptor),
  };
}
