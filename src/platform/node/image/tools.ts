/** Programs of the host that take part in building an image. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VivariumError } from '../../../util/mod.ts';

/** Where administrators' programs are, which an ordinary user's PATH may leave out. */
const MORE_PLACES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Full path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const place of [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_PLACES]) {
    if (place === '') continue;
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not there
    }
  }
  return undefined;
}

/** Throws a sentence that names the Debian packages of those programs that the host lacks. */
export function requirePrograms(needs: Readonly<Record<string, string>>, what: string): void {
  const missing = Object.keys(needs).filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => needs[program]))];
  throw new VivariumError(
    'tool-missing',
    `${what} needs ${missing.join(' and ')}; on Debian: sudo apt-get install ${packages.join(' ')}`,
  );
}

export interface ToolOptions {
  /** gets each line of standard error */
  readonly onLine?: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** ends the program early, with time to put away what it has begun */
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program to its end; rejects with the reason that it gave if it fails. */
export async function runTool(
  command: readonly [program: string, ...arguments_: readonly string[]],
  what: string,
  options: ToolOptions = {},
): Promise<void> {
  const [program, ...arguments_] = command;
  const path = findProgram(program) ?? program;
  const environment = { ...process.env, ...options.env };
  const child = spawn(path, arguments_, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A terminal's Ctrl-C reaches us alone: we end the program and all that it started.
    detached: true,
    env: { ...environment, LC_ALL: 'C', PATH: [environment.PATH, ...MORE_PLACES].join(delimiter) },
  });
  const end = () => endGroup(child.pid);
  process.on('exit', end);
  options.signal?.addEventListener('abort', end);
  const said: string[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split(/[\n\r]/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      said.push(line.trim());
      if (said.length > 50) said.shift();
      options.onLine?.(line.trim());
    }
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  try {
    const code = await promise;
    if (code === 0) return;
    options.signal?.throwIfAborted();
    const reason = reasonAmong(said) ?? `${program} ended with code ${code}`;
    throw new VivariumError('tool-failed', `${what}: ${reason}`, { cause: said.join('\n') });
  } finally {
    process.off('exit', end);
    options.signal?.removeEventListener('abort', end);
  }
}

/** The line that says why: of errors in Debian's manner the first, for what follows comes of it. */
export function reasonAmong(lines: readonly string[]): string | undefined {
  const first = lines.find((line) => /^E:/.test(line));
  const other = lines.findLast((line) => /error|cannot|could not|fail/i.test(line));
  return (first ?? other ?? lines.at(-1))?.replace(/^E:\s*/, '').replace(/\s+/g, ' ');
}

/** Ends a program that was started with a process group of its own, and what it started. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // They have ended already.
  }
}
