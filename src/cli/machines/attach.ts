import { once } from 'node:events';
import { Registry, upgradeMachine } from '../../daemon/mod.ts';
import { EXIT_OK } from '../exit-code.ts';
import { LeaveKeys } from '../leave-keys.ts';
import { say } from '../messages.ts';
import { SignalWatch } from '../signals.ts';
import { RawTerminal } from '../terminal.ts';

/** `viv attach`: this terminal, or these pipes, become the machine's console until either goes. */
export async function attachMachine(name: string): Promise<number> {
  const socket = await upgradeMachine(await new Registry().findRunning(name), 'console');
  const signals = new SignalWatch();
  const terminal = new RawTerminal();
  const keys = new LeaveKeys();
  const { promise: left, resolve: leave } = Promise.withResolvers<'left'>();
  const { stdin, stdout } = process;
  const onInput = (bytes: Buffer): void => {
    const { forGuest, leaves } = terminal.isPresent
      ? keys.filter(bytes)
      : { forGuest: bytes, leaves: false };
    if (!socket.write(forGuest)) {
      stdin.pause();
      socket.once('drain', () => stdin.resume());
    }
    if (leaves) leave('left');
  };
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    if (stdout.write(bytes)) return;
    socket.pause();
    stdout.once('drain', () => socket.resume());
  });
  stdout.on('error', () => socket.destroy());
  terminal.enter();
  stdin.on('data', onInput);
  if (terminal.isPresent) stdin.on('end', () => leave('left'));
  try {
    const ending = await Promise.race([once(socket, 'close'), left, signals.first]);
    if (typeof ending === 'number') return ending;
    terminal.leave();
    if (ending === 'left')
      say(`left the console of ${name}; the machine goes on`, !terminal.isPresent);
    return EXIT_OK;
  } finally {
    stdin.pause();
    socket.destroy();
    terminal.leave();
  }
}
