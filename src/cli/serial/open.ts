import { FileSerial } from './file.ts';
import { NoSerial } from './none.ts';
import type { Serial } from './serial.ts';
import { SocketSerial } from './socket.ts';
import { StdioSerial } from './stdio.ts';

const SOCKET = 'unix:';

/** Opens what `--serial stdio|none|FILE|unix:PATH` names; throws a `VivariumError` when it cannot. */
export async function openSerial(name: string): Promise<Serial> {
  if (name === 'stdio') return new StdioSerial();
  if (name === 'none') return new NoSerial();
  if (name.startsWith(SOCKET)) return await SocketSerial.listen(name.slice(SOCKET.length));
  return new FileSerial(name);
}
