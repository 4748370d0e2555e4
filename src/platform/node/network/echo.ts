import { spawn } from 'node:child_process';

/** Seconds to wait for an answer. */
const PATIENCE = 5;

/**
 * Whether `address` answers an echo request with `bytes` of data. The host's own `ping` asks, because a program
 * without privileges may not.
 */
export function echo(address: string, bytes: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const settings = ['-n', '-q', '-c', '1', '-w', String(PATIENCE), '-s', String(bytes), address];
  const child = spawn('ping', settings, { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), (PATIENCE + 1) * 1000);
  child.on('error', () => resolve(false));
  child.on('exit', (code) => resolve(code === 0));
  return promise.finally(() => clearTimeout(timer));
}
