/** A host whose sockets are the test's own variables. */
import { VivariumError } from '../../util/mod.ts';
import type { IpAddress, IpFamily } from '../address.ts';
import type {
  AcceptStream,
  HostDatagramEvents,
  HostDatagrams,
  HostListener,
  HostSockets,
  HostStream,
  HostStreamEvents,
} from './host.ts';

export class FakeStream implements HostStream {
  readonly address: IpAddress;
  readonly port: number;
  readonly events: HostStreamEvents;
  readonly written: Uint8Array[] = [];
  backlog = 0;
  isEnded = false;
  isPaused = false;
  isReset = false;

  constructor(address: IpAddress, port: number, events: HostStreamEvents) {
    this.address = address;
    this.port = port;
    this.events = events;
  }

  /** everything written, as text */
  get text(): string {
    return Buffer.concat(this.written).toString('latin1');
  }

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  end(): void {
    this.isEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  reset(): void {
    this.isReset = true;
  }
}

export class FakeDatagrams implements HostDatagrams {
  readonly family: IpFamily;
  readonly events: HostDatagramEvents;
  readonly sent: { text: string; address: IpAddress; port: number }[] = [];
  isClosed = false;

  constructor(family: IpFamily, events: HostDatagramEvents) {
    this.family = family;
    this.events = events;
  }

  send(bytes: Uint8Array, address: IpAddress, port: number): void {
    this.sent.push({ text: Buffer.from(bytes).toString('latin1'), address, port });
  }

  close(): void {
    this.isClosed = true;
  }
}

export class FakeHost implements HostSockets {
  readonly streams: FakeStream[] = [];
  readonly datagrams: FakeDatagrams[] = [];
  readonly listeners: { port: number; accepted: (accept: AcceptStream) => void }[] = [];
  readonly bound: FakeDatagrams[] = [];
  readonly queries: Uint8Array[] = [];
  readonly echoes: { address: IpAddress; bytes: number }[] = [];
  names: Record<string, IpAddress[]> = {};
  /** ports that are taken */
  busyPorts = new Set<number>();
  response: ((query: Uint8Array) => Uint8Array | undefined) | undefined;
  answersEcho = true;

  connect(address: IpAddress, port: number, events: HostStreamEvents): FakeStream {
    const stream = new FakeStream(address, port, events);
    this.streams.push(stream);
    return stream;
  }

  openDatagrams(family: IpFamily, events: HostDatagramEvents): FakeDatagrams {
    const socket = new FakeDatagrams(family, events);
    this.datagrams.push(socket);
    return socket;
  }

  async listen(
    _address: IpAddress,
    port: number,
    accepted: (accept: AcceptStream) => void,
  ): Promise<HostListener> {
    if (this.busyPorts.has(port)) throw new VivariumError('port-in-use', `port ${port} is in use`);
    const listener = { port, accepted };
    this.listeners.push(listener);
    return {
      port,
      close: () => void this.listeners.splice(this.listeners.indexOf(listener), 1),
    };
  }

  async bindDatagrams(
    address: IpAddress,
    port: number,
    events: HostDatagramEvents,
  ): Promise<HostListener & HostDatagrams> {
    const socket = new FakeDatagrams(address.includes(':') ? 6 : 4, events);
    this.bound.push(socket);
    return Object.assign(socket, { port });
  }

  async hostNames(name: string): Promise<readonly IpAddress[]> {
    return this.names[name] ?? [];
  }

  async resolve(query: Uint8Array): Promise<Uint8Array | undefined> {
    this.queries.push(query);
    return this.response?.(query);
  }

  nameServer(): { address: IpAddress; port: number } {
    return { address: '192.0.2.53', port: 53 };
  }

  async echo(address: IpAddress, bytes: number): Promise<boolean> {
    this.echoes.push({ address, bytes });
    return this.answersEcho;
  }

  /** Lets a client of the host connect to the forwarded `port`. */
  client(port: number): FakeStream {
    let stream: FakeStream | undefined;
    const listener = this.listeners.find((each) => each.port === port);
    listener?.accepted((events) => {
      stream = new FakeStream('127.0.0.1', 5555, events);
      return stream;
    });
    if (stream === undefined) throw new Error(`nobody listens on port ${port}`);
    return stream;
  }
}
