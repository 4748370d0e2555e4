import { FileSerial } from './file.ts';
import { LogSerial } from './log.ts';
import { NoSerial } from './none.ts';
import type { Serial } from './serial.ts';
import { SocketSerial } from './socket.ts';
import { StdioSerial } from './stdio.ts';

const SOCKET = 'unix:';

/**
 * Opens what `--serial stdio|none|FILE|unix:PATH` names; throws a `VivariumError` when it cannot.
 * A machine in the background has a directory for a log instead of standard input and output.
 */
export async function openSerial(name: string, logDirectory?: string): Promise<Serial> {
  if (name === 'stdio' && logDirectory !== undefined) return new LogSerial(logDirectory);
  if (name === 'stdio') return new StdioSerial();
  if (name === 'none') return new NoSerial();
  if (name.startsWith(SOCKET)) return await SocketSerial.listen(name.slice(SOCKET.length));
  return new FileSerial(name);
}
