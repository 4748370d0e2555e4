/** An SSH server that runs commands on this host, in place of one in a guest. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type Server } from 'ssh2';

export interface FakeGuest extends Disposable {
  readonly port: number;
}

/** Lets in who has this key; commands run in `directory`. */
export async function startFakeGuest(publicKey: string, directory: string): Promise<FakeGuest> {
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519').private;
  const known = ssh2.utils.parseKey(publicKey);
  if (known instanceof Error) throw known;
  const server: Server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (context) => {
      const isKnown =
        context.method === 'publickey' && context.key.data.equals(known.getPublicSSH());
      if (isKnown) context.accept();
      else context.reject();
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptCommand, _, { command }) => {
        const channel = acceptCommand();
        // The end of the input is not the end of the command.
        channel.allowHalfOpen = true;
        const child = spawn('sh', ['-c', command], { cwd: directory });
        channel.pipe(child.stdin);
        child.stdin.on('error', () => {});
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        child.on('close', (code, signal) => {
          if (signal === null) channel.exit(code ?? 1);
          else channel.exit(signal.replace('SIG', ''));
          channel.end();
        });
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => server.close() };
}
