/**
 * The user-mode network under Vivarium and under QEMU, in turns, with the same guest: throughput both ways, small
 * requests, and round trips on one connection. `npm run bench -- network --help` lists options.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultGuest } from '../src/platform/node/mod.ts';
import { binViv } from '../test/guests/session.ts';
import { type BootFiles, qemuCommand, qemuVersion } from './machines/qemu.ts';
import {
  compareSessions,
  measureSessions,
  type SessionWorkload,
  timeWarm,
} from './machines/session-bench.ts';
import { describeHost, readOptions } from './options.ts';
import { save } from './report/save.ts';

const MIB = 2 ** 20;
const DOWNLOAD = 64;
const UPLOAD = 8;
const ROUND_TRIPS = 100;

const options = readOptions();
const host = describeHost();
const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const guest = await defaultGuest({ progress: (message) => console.error(message) });
const files: BootFiles = {
  kernel: place('vmlinux', guest.kernel),
  initrd: place('initrd', guest.initrd),
  cmdline: guest.cmdline,
  memory: '512M',
};
const [web, echo] = [await freePort(), await freePort()];
const vivarium = [
  ...[binViv, 'run', '--kernel', files.kernel, '--initrd', files.initrd],
  ...['--cmdline', files.cmdline, '--memory', files.memory, '--engine', options.engine],
  ...['--net', 'user', '-p', `${web}:80`, '-p', `${echo}:7`],
];
const forwards = [`hostfwd=tcp:127.0.0.1:${web}-:80`, `hostfwd=tcp:127.0.0.1:${echo}-:7`];
const [qemu = '', ...qemuArguments] = [
  ...qemuCommand(files),
  ...['-netdev', `user,id=n,${forwards.join(',')}`, '-device', 'virtio-net-pci,netdev=n,romfile='],
];
const peer = qemuVersion();

/** The work, whose amount is in the unit of the name. */
const workloads: Readonly<Record<string, SessionWorkload>> = {
  'download, MiB': async (session, timed) => {
    await using server = await serve((socket) => {
      socket.once('data', () => sendMebibytes(socket, DOWNLOAD));
    });
    const line = `wget -q -O /dev/null http://10.0.2.2:${server.port}/`;
    await timeWarm(timed, DOWNLOAD, () => session.run(line));
  },
  'upload, MiB': async (session, timed) => {
    await session.run(`dd if=/dev/zero of=/tmp/zero bs=1M count=${UPLOAD}`);
    await using server = await serve((socket) => socket.resume().on('end', () => socket.end()));
    const line = `nc 10.0.2.2 ${server.port} </tmp/zero`;
    await timeWarm(timed, UPLOAD, () => session.run(line));
  },
  'HTTP requests into the guest': async (session, timed) => {
    await session.run('mkdir -p /www; echo hello >/www/index.html; httpd -h /www -p 80');
    await fetch(`http://127.0.0.1:${web}/`);
    await timeWarm(timed, 1, async () => (await fetch(`http://127.0.0.1:${web}/`)).text());
  },
  'round trips on a connection': async (session, timed) => {
    await session.run('(nc -ll -p 7 -e cat >/dev/null 2>&1 &)');
    await sleep(500);
    const socket = connect({ port: echo, host: '127.0.0.1', noDelay: true });
    await timeWarm(timed, ROUND_TRIPS, async () => {
      for (let count = 0; count < ROUND_TRIPS; count++) {
        socket.write('x');
        await once(socket, 'data');
      }
    });
    socket.destroy();
  },
};

const commands = {
  vivarium: [process.execPath, ...vivarium],
  ...(peer === undefined ? {} : { qemu: [qemu, ...qemuArguments] }),
};
const samples = await measureSessions({ commands, workloads, prompt: 'vivarium:~# ', options });
console.log(`User-mode network, more is better, medians of ${options.runs}:\n`);
console.log(compareSessions(samples, 'vivarium', 'qemu', `QEMU ${peer ?? ''}`));
const result = { date: new Date().toISOString(), host, peer, commands, samples };
console.log(`\nSaved to ${save('network', result, options.json)}`);
process.exit(0);

function place(name: string, contents: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, contents);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function serve(
  accepted: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    accepted(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}

function sendMebibytes(socket: Socket, count: number): void {
  const block = new Uint8Array(MIB);
  let left = count;
  socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${count * MIB}\r\n\r\n`);
  const send = () => {
    while (left > 0) {
      left--;
      if (!socket.write(block)) {
        socket.once('drain', send);
        return;
      }
    }
    socket.end();
  };
  send();
}
