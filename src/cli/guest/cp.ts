/** `viv cp`: archives through a session; tar, which every Debian has, is at the guest's end. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { packTar, type TarSource, unpackTar } from 'modern-tar/fs';
import type { Client } from 'ssh2';
import { VivariumError } from '../../util/mod.ts';
import { quoteWords } from './quote.ts';
import { runInGuest } from './run-in-guest.ts';
import { openSession } from './session.ts';

interface GuestPath {
  readonly machine: string;
  readonly path: string;
}

/** `viv cp FROM TO` */
export async function copyWithGuest(from: string, to: string, wait: number): Promise<void> {
  const source = parseGuestPath(from);
  const target = parseGuestPath(to);
  if ((source === undefined) === (target === undefined)) {
    throw new VivariumError('option-invalid', 'one of FROM and TO must be MACHINE:PATH');
  }
  if (source === undefined && !existsSync(from)) {
    throw new VivariumError('file-missing', `cannot copy ${from}: there is no such file`);
  }
  const machine = (source ?? target)?.machine as string;
  const client = await openSession(machine, wait);
  try {
    if (source !== undefined) await copyOut(client, source.path, to);
    else await copyIn(client, from, (target as GuestPath).path);
  } finally {
    client.destroy();
  }
}

/** A name of a host's file may hold a colon too: then it is written with a slash before. */
function parseGuestPath(text: string): GuestPath | undefined {
  const match = /^([a-zA-Z0-9][\w.-]*):(.*)$/s.exec(text);
  if (match === null) return undefined;
  return { machine: match[1] as string, path: match[2] === '' ? '.' : (match[2] as string) };
}

async function copyIn(client: Client, from: string, to: string): Promise<void> {
  const intoDirectory = to.endsWith('/') || (await isDirectory(client, to));
  const directory = intoDirectory ? to : dirname(to);
  const name = intoDirectory ? basename(resolve(from)) : basename(to);
  const type = statSync(from).isDirectory() ? 'directory' : 'file';
  const sources: TarSource[] = [{ type, source: resolve(from), target: name }];
  const command = quoteWords(['tar', '-C', directory, '--no-same-owner', '-xf', '-']);
  const input = new PassThrough();
  const packing = pipeline(packTar(sources), input);
  // A guest that takes no more says why itself.
  packing.catch(() => {});
  await runTar(client, command, `cannot copy to ${to}`, { input });
  await packing;
}

async function copyOut(client: Client, from: string, to: string): Promise<void> {
  const intoDirectory = existsSync(to) && statSync(to).isDirectory();
  const directory = intoDirectory ? to : dirname(to);
  if (!existsSync(directory)) {
    throw new VivariumError('file-missing', `cannot copy to ${to}: there is no ${directory}`);
  }
  const clean = from.replace(/\/+$/, '');
  const root = basename(clean) || '.';
  const name = intoDirectory ? root : basename(to);
  const rename = (path: string): string =>
    path === root || path.startsWith(`${root}/`) ? name + path.slice(root.length) : path;
  const command = quoteWords(['tar', '-C', dirname(clean) || '/', '-cf', '-', '--', root]);
  const output = new PassThrough();
  // What a guest packs is not trusted: the library keeps all of it below the directory.
  const unpacking = pipeline(
    output,
    unpackTar(directory, { map: (header) => ({ ...header, name: rename(header.name) }) }),
  );
  unpacking.catch(() => output.resume());
  await runTar(client, command, `cannot copy ${from}`, { output });
  output.end();
  await unpacking.catch((error: Error) => {
    throw new VivariumError('copy-failed', `cannot copy ${from}: ${error.message}`, {
      cause: error,
    });
  });
}

async function isDirectory(client: Client, path: string): Promise<boolean> {
  const command = quoteWords(['test', '-d', path]);
  return (
    (await runInGuest(client, command, { input: undefined, output: sink(), errors: sink() })) === 0
  );
}

async function runTar(
  client: Client,
  command: string,
  what: string,
  streams: { input?: PassThrough; output?: PassThrough },
): Promise<void> {
  const said: Buffer[] = [];
  const errors = new Writable({
    write(chunk: Buffer, _, done) {
      said.push(chunk);
      done();
    },
  });
  const output = streams.output ?? sink();
  const code = await runInGuest(client, command, { input: streams.input, output, errors });
  if (code === 0) return;
  const [reason = ''] = Buffer.concat(said).toString().trim().split('\n');
  const detail = reason === '' ? `tar ended with code ${code}` : reason.replace(/^tar: /, '');
  throw new VivariumError('copy-failed', `${what}: ${detail}`);
}

function sink(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
