/** The one machine that all tests of the default guest share: a terminal, disks and a network. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { expectSuccess, vivCommand } from '../host-tools.ts';
import { Workplace } from '../images.ts';
import { runVivOnTerminal, type Session } from '../session.ts';

const MIB = 2 ** 20;

/** What lies on the disks that have something behind them: 8 MiB in which every sector differs. */
export const BEHIND = Buffer.from(Array.from({ length: 8 * MIB }, (_, at) => (at >> 9) & 0xff));

/** Why there can be no terminal; false if there can. */
export const noTerminal: string | false =
  spawnSync('script', ['--version']).status !== 0 && 'no program `script` that makes terminals';

/** The default guest, at the prompt of its shell. */
export class DefaultGuest implements AsyncDisposable {
  readonly place = new Workplace();
  readonly statsFile = join(this.place.path, 'stats.json');
  readonly capture = join(this.place.path, 'capture.pcap');
  readonly images = {
    raw: join(this.place.path, 'raw.img'),
    qcow2: join(this.place.path, 'disk.qcow2'),
    base: join(this.place.path, 'base.img'),
    front: join(this.place.path, 'front.qcow2'),
    fixed: join(this.place.path, 'fixed.img'),
  };
  /** of this host, and leads to port 80 of the guest */
  httpPort = 0;
  processId = 0;
  /** what `stty` said of the terminal before the machine began */
  modes = '';
  #session: Session | undefined;

  get viv(): Session {
    if (this.#session === undefined) throw new Error('the guest did not start');
    return this.#session;
  }

  async start(): Promise<void> {
    const { raw, qcow2, base, front, fixed } = this.images;
    writeFileSync(raw, '');
    truncateSync(raw, 24 * MIB);
    expectSuccess(vivCommand('disk', 'create', qcow2, '48M'));
    writeFileSync(base, BEHIND);
    expectSuccess(vivCommand('disk', 'create', front, '32M', '--backing', base));
    writeFileSync(fixed, BEHIND);
    this.httpPort = await freePort();
    const viv = runVivOnTerminal([
      ...['--disk', raw, '--disk', `${qcow2},serial=second`, '--disk', `${front},bus=nvme`],
      ...['--disk', `${fixed},readonly`, '--disk', `${fixed},snapshot,format=raw,bus=nvme`],
      ...['--net', 'user', '-p', `${this.httpPort}:80`, '--net-dump', this.capture],
      ...['--timeout', '1100', '--stats', this.statsFile],
    ]);
    this.#session = viv;
    this.modes = (await viv.expect(/modes (\S+)/))[1] as string;
    this.processId = Number((await viv.expect(/pid (\d+)/))[1]);
    await viv.expect(/vivarium:~# /);
  }

  /** Memory of the host that the machine has, in MiB. */
  residentMebibytes(): number {
    const status = readFileSync(`/proc/${this.processId}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]();
    this.place[Symbol.dispose]();
  }
}

/** A port of the loopback that nobody has at this moment. */
export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
