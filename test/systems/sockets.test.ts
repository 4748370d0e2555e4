/** Sockets between guest and host (virtio-vsock): a stock kernel's, by a small program, both ways. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Workplace } from '../guests/images.ts';
import { runViv, type Session } from '../guests/session.ts';

const SOURCE = join(import.meta.dirname, 'vsock-pipe.c');
const MIB = 2 ** 20;
const place = new Workplace();
const programs = join(place.path, 'programs');
mkdirSync(programs);
const isBuilt =
  spawnSync('gcc', ['-static', '-O1', '-o', join(programs, 'pipe'), SOURCE]).status === 0;

describe('sockets between guest and host', {
  timeout: 600_000,
  skip: isBuilt ? false : 'gcc is needed',
}, () => {
  const path = join(place.path, 'v.sock');
  let guest: Session;

  before(async () => {
    guest = runViv(['-v', `${programs}:/programs`, '--vsock', path, '--timeout', '580']);
    await guest.expect('vivarium:~# ');
  });

  after(async () => {
    await guest[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  /** Waits for one connection of the guest to `port`. */
  async function accept(port: number): Promise<{ socket: Promise<Socket> } & AsyncDisposable> {
    const server = createServer({ allowHalfOpen: true }).listen(`${path}_${port}`);
    await once(server, 'listening');
    const socket = once(server, 'connection').then(([each]) => each as Socket);
    return { socket, [Symbol.asyncDispose]: async () => void server.close() };
  }

  test('the guest reaches a program of the host, which hears all and answers', async () => {
    await using host = await accept(1234);
    guest.send(
      'dd if=/dev/urandom of=/tmp/r bs=64k count=64 2>/dev/null; /programs/pipe 2 1234 </tmp/r',
    );
    const socket = await host.socket;
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of socket) {
      hash.update(piece);
      bytes += piece.length;
    }
    socket.end(`${bytes} bytes\n`);
    const { text, status } = await guest.result();
    assert.equal(status, 0, text);
    assert.match(text, new RegExp(`^${4 * MIB} bytes$`, 'm'));
    const sum = await guest.run('sha256sum </tmp/r');
    assert.equal(sum.text.slice(0, 64), hash.digest('hex'));
  });

  test('where nobody listens the guest is refused', async () => {
    const { text, status } = await guest.run('/programs/pipe 2 99 </dev/null');
    assert.equal(status, 1);
    assert.match(text, /connect: Connection reset by peer/);
  });

  test('a program of the host reaches the guest, and both say all they have to', async () => {
    await guest.run(
      '/programs/pipe 77 </tmp/r >/tmp/got 2>/tmp/said & ' +
        'while ! grep -q listening /tmp/said; do usleep 50000; done',
    );
    const socket = connect({ path, allowHalfOpen: true });
    socket.write('CONNECT 77\n');
    const [first] = (await once(socket, 'data')) as [Buffer];
    const answer = /^OK (\d+)\n/.exec(first.toString('latin1'));
    assert.ok(Number(answer?.[1]) >= 2 ** 30);
    const sent = Buffer.alloc(3 * MIB, 'host');
    socket.end(sent);
    let bytes = first.length - (answer?.[0].length ?? 0);
    for await (const piece of socket) bytes += (piece as Buffer).length;
    assert.equal(bytes, 4 * MIB);
    const { text } = await guest.run('wait; sha256sum /tmp/got');
    assert.match(text, new RegExp(createHash('sha256').update(sent).digest('hex')));
  });

  test('where the guest does not listen the program of the host is refused', async () => {
    const socket = connect({ path });
    socket.write('CONNECT 78\n');
    socket.resume();
    await once(socket, 'close');
    assert.equal(socket.bytesRead, 0);
  });

  test('they work again after a reset, and are gone with the machine', async () => {
    guest.type('reboot\n');
    await guest.expect('Restarting system');
    await guest.expect('vivarium:~# ');
    await using host = await accept(5);
    guest.send('echo again | /programs/pipe 2 5');
    const socket = await host.socket;
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'again\n');
    socket.destroy();
    await guest.result();
    guest.type('poweroff\n');
    assert.equal((await guest.ended).code, 0);
    assert.equal(existsSync(path), false);
  });
});
