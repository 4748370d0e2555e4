/**
 * Consoles and named byte streams between host and guest. VIRTIO 1.2, section 5.3.
 *
 * Port 0 is a console (`/dev/hvc0`); the others are streams that the guest finds by their names
 * (`/dev/virtio-ports/NAME`). Left out: ports that come and go.
 */
import type { AccessSize } from '../../../bus/mod.ts';
import {
  boolean,
  type Checked,
  list,
  type Persist,
  record,
  section,
  u16,
} from '../../../state/mod.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import type { DescriptorChain } from '../queue/chain.ts';
import { VIRTIO_ID } from '../spec.ts';
import {
  CONFIG_BYTES,
  CONFIG_EMERGENCY,
  CONTROL,
  CONTROL_BYTES,
  CONTROL_RECEIVE,
  CONTROL_TRANSMIT,
  portOf,
  receiveQueue,
  VIRTIO_CONSOLE_F_EMERG_WRITE,
  VIRTIO_CONSOLE_F_MULTIPORT,
  VIRTIO_CONSOLE_F_SIZE,
} from './spec.ts';

const PCI_CLASS_COMMUNICATION = 0x07_80_00;
const QUEUE_SIZE = 128;
/** Bytes taken from one request at a time. */
const PIECE_BYTES = 64 * 1024;
const MAX_PENDING_CONTROL = 256;

export interface VirtioConsolePort {
  /** of a stream; port 0 is a console and has none */
  readonly name?: string;
  /** Bytes the guest sent; the array is the receiver's to keep. */
  readonly output: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** the guest opened or closed its end */
  readonly onOpen?: (isOpen: boolean) => void;
}

export interface VirtioConsoleOptions {
  /** unique in its machine, e.g. `virtio-console-0` */
  readonly name: string;
  /** the first is the console */
  readonly ports: readonly VirtioConsolePort[];
}

function checkState(ports: number) {
  return record({
    columns: u16,
    rows: u16,
    open: list(boolean, ports),
    ready: list(boolean, ports),
  });
}
export type VirtioConsoleState = Checked<ReturnType<typeof checkState>>;

export class VirtioConsole implements VirtioDevice {
  readonly name: string;
  readonly type = VIRTIO_ID.console;
  readonly pciClass = PCI_CLASS_COMMUNICATION;
  readonly features =
    VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_CONSOLE_F_EMERG_WRITE;
  readonly queueSizes: readonly number[];
  readonly persist: Persist<VirtioConsoleState>;
  readonly #ports: readonly VirtioConsolePort[];
  /** by port: the guest has it open, and has set it up */
  #open: boolean[];
  #ready: boolean[];
  #columns = 80;
  #rows = 25;
  #driver: VirtioDriver | undefined;
  /** control messages that wait for room */
  #control: Uint8Array[] = [];

  constructor(options: VirtioConsoleOptions) {
    this.name = options.name;
    this.#ports = options.ports;
    const count = this.#ports.length;
    this.#open = new Array<boolean>(count).fill(false);
    this.#ready = new Array<boolean>(count).fill(false);
    this.queueSizes = new Array<number>(2 + 2 * count).fill(QUEUE_SIZE);
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState(count),
      save: () => ({
        columns: this.#columns,
        rows: this.#rows,
        open: [...this.#open],
        ready: [...this.#ready],
      }),
      load: (state) => {
        this.#columns = state.columns;
        this.#rows = state.rows;
        this.#open = state.open;
        this.#ready = state.ready;
        this.#control = [];
      },
    });
  }

  /** True when the guest has the port open. */
  isOpen(port = 0): boolean {
    return this.#driver !== undefined && (this.#open[port] ?? false);
  }

  /** Offers bytes to the guest; returns how many it had room for. */
  receive(bytes: Uint8Array, port = 0): number {
    const queue = this.#driver?.queues[receiveQueue(port)];
    if (queue === undefined || !this.isOpen(port)) return 0;
    let taken = 0;
    while (taken < bytes.length) {
      const chain = queue.next();
      if (chain === undefined) break;
      const written = chain.write(0, bytes.subarray(taken));
      taken += written;
      queue.complete(chain, written);
      if (written === 0) break;
    }
    queue.signal();
    return taken;
  }

  /** Tells the guest the size of the terminal. */
  resize(columns: number, rows: number): void {
    this.#columns = columns;
    this.#rows = rows;
    if (this.#isMultiport) {
      const size = new DataView(new ArrayBuffer(4));
      size.setUint16(0, rows, true);
      size.setUint16(2, columns, true);
      this.#tell(0, CONTROL.resize, 0, new Uint8Array(size.buffer));
    } else this.#driver?.configChanged();
  }

  readConfig(offset: number, size: AccessSize): number {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    config.setUint16(0, this.#columns, true);
    config.setUint16(2, this.#rows, true);
    config.setUint32(4, this.#ports.length, true);
    return readStructure(new Uint8Array(config.buffer), offset, size);
  }

  /** A guest in distress writes single characters here. */
  writeConfig(offset: number, _size: AccessSize, value: number): void {
    if (offset === CONFIG_EMERGENCY) this.#ports[0]?.output(Uint8Array.of(value & 0xff));
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
    // Without control queues the console is there from the start.
    if (!this.#isMultiport) this.#setOpen(0, true);
  }

  notify(index: number): void {
    if (index === CONTROL_RECEIVE && this.#isMultiport) this.#sendControl();
    else if (index === CONTROL_TRANSMIT && this.#isMultiport) this.#takeControl();
    else {
      const place = portOf(index);
      if (place !== undefined && !place.isReceive) this.#transmit(index, place.port);
    }
  }

  reset(): void {
    this.#driver = undefined;
    this.#control = [];
    this.#ready.fill(false);
    for (const port of this.#ports.keys()) this.#setOpen(port, false);
  }

  get #isMultiport(): boolean {
    return ((this.#driver?.features ?? 0n) & VIRTIO_CONSOLE_F_MULTIPORT) !== 0n;
  }

  #transmit(index: number, port: number): void {
    const queue = this.#driver?.queues[index];
    if (queue === undefined) return;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      for (let done = 0; done < chain.readable; done += PIECE_BYTES) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, chain.readable - done));
        chain.read(done, piece);
        this.#ports[port]?.output(piece);
      }
      queue.complete(chain, 0);
    }
    queue.signal();
  }

  /** Messages of the driver: each is one request. */
  #takeControl(): void {
    const queue = this.#driver?.queues[CONTROL_TRANSMIT];
    if (queue === undefined) return;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      this.#obey(chain);
      queue.complete(chain, 0);
    }
    queue.signal();
  }

  #obey(chain: DescriptorChain): void {
    if (chain.readable < CONTROL_BYTES) return;
    const message = new DataView(new ArrayBuffer(CONTROL_BYTES));
    chain.read(0, new Uint8Array(message.buffer));
    const port = message.getUint32(0, true);
    const value = message.getUint16(6, true);
    switch (message.getUint16(4, true)) {
      case CONTROL.deviceReady:
        if (value !== 1) return;
        for (const known of this.#ports.keys()) this.#tell(known, CONTROL.portAdd, 1);
        return;
      case CONTROL.portReady:
        if (value === 1) this.#introduce(port);
        return;
      case CONTROL.portOpen:
        if (port < this.#ports.length) this.#setOpen(port, value === 1);
        return;
    }
  }

  /** The guest has set a port up: it is told what the port is, and that our end is open. */
  #introduce(port: number): void {
    const known = this.#ports[port];
    if (known === undefined) return;
    this.#ready[port] = true;
    if (port === 0) this.#tell(port, CONTROL.consolePort, 1);
    if (known.name !== undefined) {
      this.#tell(port, CONTROL.portName, 1, new TextEncoder().encode(known.name));
    }
    this.#tell(port, CONTROL.portOpen, 1);
    if (port === 0) this.resize(this.#columns, this.#rows);
  }

  #setOpen(port: number, isOpen: boolean): void {
    if (this.#open[port] === isOpen) return;
    this.#open[port] = isOpen;
    this.#ports[port]?.onOpen?.(isOpen);
  }

  #tell(port: number, event: number, value: number, rest = new Uint8Array(0)): void {
    if (this.#control.length >= MAX_PENDING_CONTROL) return;
    const message = new Uint8Array(CONTROL_BYTES + rest.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, port, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    message.set(rest, CONTROL_BYTES);
    this.#control.push(message);
    this.#sendControl();
  }

  #sendControl(): void {
    const queue = this.#driver?.queues[CONTROL_RECEIVE];
    if (queue === undefined) return;
    while (this.#control.length > 0) {
      const chain = queue.next();
      if (chain === undefined) break;
      queue.complete(chain, chain.write(0, this.#control.shift() as Uint8Array));
    }
    queue.signal();
  }
}
