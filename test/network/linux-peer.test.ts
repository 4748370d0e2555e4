/** TCP against the TCP of Linux itself. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UserNetwork } from '../../src/net/mod.ts';
import { runScenario, type WireSettings, whyNot } from './linux-peer.ts';

const FILE = Buffer.alloc(8 << 20);
for (let at = 0; at < FILE.length; at += 4) FILE.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

async function serve(
  accepted: (socket: Socket) => void,
  address = '127.0.0.1',
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    accepted(socket);
  }).listen({ port: 0, host: address, backlog: 4096 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

/** Sends everything back, and ends when the other side has. */
function echo(socket: Socket): void {
  socket.pipe(socket);
}

const wires: Readonly<Record<string, WireSettings>> = {
  'a good wire': {},
  'a good wire with offloads': { offload: true },
  'a wire that loses frames': { loss: 0.02 },
  'a bad wire with offloads': { loss: 0.03, late: 0.05, repeat: 0.02, offload: true },
  'a wire that repeats and reorders': { late: 0.2, repeat: 0.1 },
};

describe('TCP against Linux', { skip: whyNot(), timeout: 600_000 }, () => {
  for (const [name, wire] of Object.entries(wires)) {
    const bytes = (wire.loss ?? 0) > 0 ? 1 << 20 : FILE.length;

    test(`Linux downloads whole over ${name}`, async () => {
      await using server = await serve((socket) => socket.end(FILE.subarray(0, bytes)));
      const result = await runScenario('download', { port: server.port }, wire);
      assert.deepEqual(result, { bytes, md5: md5(FILE.subarray(0, bytes)) });
    });

    test(`Linux uploads whole over ${name}, and is answered after its end`, async () => {
      const received: Buffer[] = [];
      await using server = await serve((socket) => {
        socket.on('data', (data: Buffer) => received.push(data));
        socket.on('end', () => socket.end(FILE.subarray(0, 5000)));
      });
      const result = await runScenario('upload', { port: server.port, bytes }, wire);
      assert.equal(result['md5'], md5(Buffer.concat(received)));
      assert.deepEqual([result['answered'], result['answer']], [5000, md5(FILE.subarray(0, 5000))]);
    });
  }

  test('Linux downloads and uploads over IPv6', async (context) => {
    const server = await serve((socket) => socket.end(FILE), '::1').catch(() => undefined);
    if (server === undefined) return context.skip('this host has no IPv6');
    const result = await runScenario(
      'download',
      { port: server.port, six: true },
      { offload: true },
    );
    assert.deepEqual(result, { bytes: FILE.length, md5: md5(FILE) });
    await server[Symbol.asyncDispose]();
  });

  test('a Linux that does not read for a while holds the sender back, and gets everything', async () => {
    const long = Buffer.concat([FILE, FILE, FILE, FILE, FILE]);
    let unsent = 0;
    await using server = await serve((socket) => {
      socket.end(long);
      setTimeout(() => {
        unsent = socket.writableLength;
      }, 1000);
    });
    const settings = { port: server.port, pause: 2 };
    const result = await runScenario('download', settings, { offload: true });
    assert.equal(result['md5'], md5(long));
    assert.ok(unsent > long.length / 2, `${unsent} bytes were unsent`);
  });

  test('a refusal reaches Linux', async () => {
    const server = await serve(() => {});
    await server[Symbol.asyncDispose]();
    assert.deepEqual(await runScenario('refused', { port: server.port }), { error: 111 });
  });

  test('a thousand connections at once', async () => {
    let network: UserNetwork | undefined;
    let most = 0;
    await using server = await serve((socket) => {
      most = Math.max(most, network?.size.tcp ?? 0);
      echo(socket);
    });
    const settings = { port: server.port, count: 1000 };
    const result = await runScenario(
      'many',
      settings,
      {},
      {
        meanwhile(one) {
          network = one;
        },
      },
    );
    assert.deepEqual(result, { good: 1000 });
    assert.equal(most, 1000);
  });

  for (const last of [false, true]) {
    const who = last ? 'the host' : 'the guest';
    test(`connections that ${who} ends first, one after the other, leave nothing behind`, async () => {
      await using server = await serve((socket) => {
        if (last) socket.once('data', (data) => socket.end(data));
        else echo(socket);
      });
      const settings = { port: server.port, count: 2000, last };
      const result = await runScenario(
        'sequence',
        settings,
        {},
        {
          async afterwards(network) {
            // Those that we ended first linger for two seconds.
            while (network.size.tcp > 0) await sleep(20);
          },
        },
      );
      assert.deepEqual(result, { good: 2000 });
    });
  }

  test('connections over a bad wire, one after the other', async () => {
    await using server = await serve(echo);
    const wire = { loss: 0.01, late: 0.05, repeat: 0.02 };
    const result = await runScenario('sequence', { port: server.port, count: 50 }, wire);
    assert.deepEqual(result, { good: 50 });
  });

  test('Linux serves on a forwarded port', async () => {
    const wire = { forwards: ['0:80'] };
    let good = 0;
    await runScenario('serve', { count: 200 }, wire, {
      async meanwhile(_network, [port]) {
        const ask = async (text: string) => {
          const socket = connect(port as number, '127.0.0.1');
          socket.write(text);
          const [answer] = (await once(socket, 'data')) as [Buffer];
          if (answer.toString() === text) good++;
          socket.destroy();
        };
        await Promise.all(
          Array.from({ length: 200 }, (_, index) => ask(String(index).padStart(8, '0'))),
        );
      },
    });
    assert.equal(good, 200);
  });
});
