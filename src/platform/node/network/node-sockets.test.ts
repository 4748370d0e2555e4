/** The host's sockets, against others of the same process on the loopback. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostFailure, HostStream, HostStreamEvents } from '../../../net/mod.ts';
import { NodeSockets } from './node-sockets.ts';

const host = new NodeSockets();

/** What a stream has told. */
class Told implements HostStreamEvents {
  readonly log: string[] = [];
  readonly received: Uint8Array[] = [];
  #waiters: (() => void)[] = [];

  connected(): void {
    this.#note('connected');
  }

  data(bytes: Uint8Array): void {
    this.received.push(bytes);
    this.#note('data');
  }

  ended(): void {
    this.#note('ended');
  }

  drained(): void {
    this.#note('drained');
  }

  closed(failure: HostFailure | undefined): void {
    this.#note(`closed ${failure}`);
  }

  /** Resolves once `entry` is in the log. */
  async until(entry: string): Promise<void> {
    while (!this.log.includes(entry)) {
      await Promise.race([
        new Promise<void>((resolve) => this.#waiters.push(resolve)),
        sleep(10_000, undefined, { ref: false }).then(() =>
          assert.fail(`no "${entry}" after ${this.log}`),
        ),
      ]);
    }
  }

  get text(): string {
    return Buffer.concat(this.received).toString();
  }

  #note(entry: string): void {
    this.log.push(entry);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

async function serve(accepted: (socket: Socket) => void): Promise<[Server, number]> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    accepted(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return [server, (server.address() as AddressInfo).port];
}

describe('the sockets of the host', { timeout: 300_000 }, () => {
  test('a stream connects, carries data both ways and ends each way by itself', async () => {
    let peer = '';
    const [server, port] = await serve((socket) => {
      socket.on('data', (bytes) => {
        peer += bytes;
      });
      socket.on('end', () => socket.end('answer'));
    });
    const told = new Told();
    const stream = host.connect('127.0.0.1', port, told);
    await told.until('connected');
    stream.write(Buffer.from('question'));
    stream.end();
    await told.until('closed undefined');
    server.close();
    assert.equal(peer, 'question');
    assert.equal(told.text, 'answer');
    assert.ok(told.log.includes('drained') && told.log.includes('ended'));
  });

  test('a refusal and a reset are told as such', async () => {
    const [server, port] = await serve((socket) => socket.resetAndDestroy());
    const reset = new Told();
    host.connect('127.0.0.1', port, reset);
    await reset.until('closed reset');
    server.close();
    await once(server, 'close');
    const refused = new Told();
    host.connect('127.0.0.1', port, refused);
    await refused.until('closed refused');
    assert.ok(!refused.log.includes('connected'));
  });

  test('a stream that is reset is silent, and its peer sees a reset', async () => {
    const error = Promise.withResolvers<NodeJS.ErrnoException>();
    const [server, port] = await serve((socket) => socket.on('error', error.resolve));
    const told = new Told();
    const stream = host.connect('127.0.0.1', port, told);
    await told.until('connected');
    await sleep(20);
    stream.reset();
    assert.equal((await error.promise).code, 'ECONNRESET');
    server.close();
    assert.deepEqual(told.log, ['connected']);
  });

  test('what the peer does not read stays in the backlog, and a paused stream holds the peer back', async () => {
    let peer: Socket | undefined;
    const [server, port] = await serve((socket) => {
      peer = socket;
      socket.pause();
    });
    const told = new Told();
    const stream = host.connect('127.0.0.1', port, told);
    await told.until('connected');
    stream.write(new Uint8Array(64 << 20));
    await sleep(50);
    assert.ok(stream.backlog > 0);
    peer?.resume();
    await told.until('drained');
    assert.equal(stream.backlog, 0);
    stream.pause();
    peer?.write(new Uint8Array(64 << 20));
    await sleep(50);
    const held = told.received.length;
    await sleep(50);
    assert.equal(told.received.length, held);
    stream.resume();
    peer?.end();
    await told.until('ended');
    stream.reset();
    peer?.destroy();
    server.close();
  });

  test('a listener accepts, and frees its port when it is closed', async () => {
    const told = new Told();
    let stream: HostStream | undefined;
    const listener = await host.listen('127.0.0.1', 0, (accept) => {
      stream = accept(told);
    });
    const client = connect(listener.port, '127.0.0.1');
    client.write('hello');
    await told.until('data');
    assert.equal(told.text, 'hello');
    await assert.rejects(
      host.listen('127.0.0.1', listener.port, () => {}),
      { code: 'port-in-use', message: /^TCP port \d+ of 127.0.0.1 is in use already/ },
    );
    stream?.reset();
    client.on('error', () => {});
    listener.close();
    await new Promise((resolve) => client.on('close', resolve));
    const again = await host.listen('127.0.0.1', listener.port, () => {});
    again.close();
  });

  test('an address of another host cannot be listened on', async () => {
    await assert.rejects(
      host.listen('192.0.2.1', 0, () => {}),
      { code: 'address-unknown' },
    );
    await assert.rejects(host.bindDatagrams('192.0.2.1', 0, { message() {} }), {
      code: 'address-unknown',
    });
  });

  test('datagrams go out and come back, also on a bound port', async () => {
    const received: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const bound = await host.bindDatagrams('127.0.0.1', 0, {
      message: (bytes, address, port) => bound.send(Buffer.from(`re: ${bytes}`), address, port),
    });
    const socket = host.openDatagrams(4, {
      message: (bytes, address, port) => {
        received.push(`${Buffer.from(bytes)} from ${address} ${port === bound.port}`);
        arrived.resolve();
      },
    });
    socket.send(Buffer.from('hello'), '127.0.0.1', bound.port);
    await arrived.promise;
    assert.deepEqual(received, ['re: hello from 127.0.0.1 true']);
    await assert.rejects(host.bindDatagrams('127.0.0.1', bound.port, { message() {} }), {
      code: 'port-in-use',
    });
    socket.close();
    bound.close();
    socket.send(Buffer.from('too late'), '127.0.0.1', bound.port);
  });

  test('a name server is asked again when it is silent, and forged answers are not believed', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    after(() => server.close());
    dns.setServers([`127.0.0.1:${server.address().port}`]);
    let asked = 0;
    server.on('message', (query, { port }) => {
      asked++;
      if (asked === 1) return;
      const forged = Buffer.from(query);
      forged[0] = (forged[0] as number) ^ 1;
      server.send(forged, port);
      server.send(Buffer.concat([query, Buffer.from('answer')]), port);
    });
    const query = Uint8Array.of(0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1);
    const response = await host.resolve(query);
    assert.equal(asked, 2);
    assert.deepEqual(
      response?.subarray(0, query.length),
      query,
      'the identifier is that of the query',
    );
    assert.equal(
      Buffer.from(response ?? [])
        .subarray(query.length)
        .toString(),
      'answer',
    );
    assert.deepEqual(host.nameServer(), { address: '127.0.0.1', port: server.address().port });
  });

  test("the host's own table of names knows the host", async () => {
    const addresses = await host.hostNames('localhost');
    assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'), `${addresses}`);
    assert.deepEqual(await host.hostNames('no.such.name.invalid'), []);
  });
});
