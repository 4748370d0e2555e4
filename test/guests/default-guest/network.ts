/** The default guest on the user-mode network: nothing but the loopback of this host is touched. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { after, before, test } from 'node:test';
import { type DefaultGuest, freePort } from './guest.ts';

const GATEWAY6 = 'fd56:6976:6172::2';
const FILE = Buffer.alloc(4 << 20);
for (let at = 0; at < FILE.length; at += 4) FILE.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

/** Makes a web server listen on a port of its own, or on one given; returns that. */
export async function listen(server: Server, address: string, port = 0): Promise<number> {
  server.listen(port, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A UDP socket on the loopback. */
class DatagramSocket implements Disposable {
  readonly socket = createSocket('udp4');

  static async open(): Promise<DatagramSocket> {
    const opened = new DatagramSocket();
    opened.socket.bind(0, '127.0.0.1');
    await once(opened.socket, 'listening');
    return opened;
  }

  get port(): number {
    return this.socket.address().port;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

export function testNetwork(guest: DefaultGuest): void {
  const answer: RequestListener = (request, response) => {
    response.end(request.url === '/file' ? FILE : 'hello from the host\n');
  };
  // A name has addresses of both kinds, and the guest takes one of its own choice.
  const webs = [createServer(answer), createServer(answer)] as const;
  let webPort: number;

  before(async () => {
    webPort = await listen(webs[0], '127.0.0.1');
    await listen(webs[1], '::1', webPort).catch(() => undefined);
  });
  after(() => {
    for (const web of webs) web.close();
  });

  test('is online when its prompt appears', async () => {
    const { text } = await guest.viv.run('ip -4 -o addr show eth0; ip route; cat /etc/resolv.conf');
    assert.match(text, /inet 10\.0\.2\.15\/24/);
    assert.match(text, /default via 10\.0\.2\.2 dev eth0/);
    assert.match(text, /nameserver 10\.0\.2\.3/);
  });

  test('reaches the host by address and by name', async () => {
    for (const name of ['10.0.2.2', 'host.vivarium']) {
      const { text } = await guest.viv.run(`wget -q -O - http://${name}:${webPort}/`);
      assert.equal(text, 'hello from the host\n');
    }
    assert.equal((await guest.viv.run('ping -c 1 10.0.2.2')).status, 0);
  });

  test('reaches the host over IPv6', async (context) => {
    const server = createServer((_, response) => response.end('six\n'));
    const port = await listen(server, '::1').catch(() => undefined);
    if (port === undefined) return context.skip('this host has no IPv6');
    const wait =
      'for i in 1 2 3 4 5 6 7 8; do ip -6 route | grep -q default && break; sleep 1; done';
    const { text } = await guest.viv.run(`${wait}; wget -q -O - http://[${GATEWAY6}]:${port}/`);
    server.close();
    assert.equal(text, 'six\n');
  });

  test('is refused where nobody listens', async () => {
    const port = await freePort();
    const { text, status } = await guest.viv.run(`wget -q -O - http://10.0.2.2:${port}/ 2>&1`);
    assert.match(text, /Connection refused/);
    assert.equal(status, 1);
  });

  test('downloads a file whole', async () => {
    const { text } = await guest.viv.run(
      `wget -q -O /tmp/file http://10.0.2.2:${webPort}/file; md5sum /tmp/file`,
    );
    assert.equal(text, `${md5(FILE)}  /tmp/file\n`);
  });

  test('uploads a file whole, and is answered after its end', async () => {
    const received: Buffer[] = [];
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (bytes: Buffer) => received.push(bytes));
      socket.on('end', () => socket.end(`got ${Buffer.concat(received).length}\n`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { text } = await guest.viv.run(`nc 10.0.2.2 ${port} </tmp/file`);
    server.close();
    assert.equal(text, `got ${FILE.length}\n`);
    assert.equal(md5(Buffer.concat(received)), md5(FILE));
  });

  test('serves on a forwarded port', async () => {
    const made = await guest.viv.run(
      'mkdir -p /www; echo served by the guest >/www/index.html; cp /tmp/file /www/; httpd -h /www -p 80',
    );
    assert.equal(made.status, 0);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${guest.httpPort}${path}`);
      return Buffer.from(await response.arrayBuffer());
    };
    assert.equal((await get('/')).toString(), 'served by the guest\n');
    assert.equal(md5(await get('/file')), md5(FILE));
    for (let count = 0; count < 20; count++) await get('/');
    await Promise.all(Array.from({ length: 8 }, () => get('/')));
  });

  test('a forwarded port that nobody in the guest listens on any more is reset', async () => {
    await guest.viv.run('killall httpd');
    const socket = connect(guest.httpPort, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  });

  test('asks over UDP', async () => {
    using server = await DatagramSocket.open();
    // TFTP, RFC 1350: a request (1) is answered by the only block (3) of the file.
    server.socket.on('message', (bytes, { port }) => {
      if (bytes[1] !== 1) return;
      server.socket.send(Buffer.from('\0\x03\0\x01over UDP\n'), port, '127.0.0.1');
    });
    const { text } = await guest.viv.run(`tftp -g -r any -l - 10.0.2.2 ${server.port}`);
    assert.equal(text, 'over UDP\n');
  });
}

export function testNetworkAfterReset(guest: DefaultGuest): void {
  test('is online again', async () => {
    const web = createServer((_, response) => response.end('hello again\n'));
    const port = await listen(web, '127.0.0.1');
    const { text } = await guest.viv.run(`wget -q -O - http://10.0.2.2:${port}/`);
    web.close();
    assert.equal(text, 'hello again\n');
  });
}

export function testCaptureAfterwards(guest: DefaultGuest): void {
  test('frames of its network were captured', () => {
    const file = readFileSync(guest.capture);
    assert.equal(file.readUInt32LE(0), 0xa1b2_3c4d);
    let packets = 0;
    for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) packets++;
    assert.ok(packets > 100, `${packets} packets`);
    assert.ok(file.includes('served by the guest'));
  });
}
