/**
 * An NVM Express controller with one namespace. NVM Express Base Specification 1.4.
 *
 * Commands are served in order the moment their doorbell rings. Left out: scatter-gather lists, several
 * namespaces, fused commands, metadata, reservations, firmware update, events, the controller memory
 * buffer, arbitration other than round robin.
 */
import {
  type AccessSize,
  type BlockBackend,
  Bus,
  type Device,
  type RegisterBank,
} from '../../bus/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import {
  type Checked,
  list,
  type Persist,
  record,
  refine,
  section,
  u16,
  u32,
} from '../../state/mod.ts';
import type { BlockCounters } from '../block-counters.ts';
import { PciFunction } from '../pci/function.ts';
import { Msix, type SendMsi } from '../pci/msix.ts';
import { restoreTogether } from '../restore-together.ts';
import { AdminCommands } from './admin-commands.ts';
import { checkFeatures, Features } from './features.ts';
import { ASYNC_EVENT_LIMIT, uuidOf } from './identify.ts';
import { IoCommands } from './io-commands.ts';
import { checkQueueSet, QueueSet } from './queue-set.ts';
import type { CompletionQueue, SubmissionQueue } from './queues.ts';
import { ControllerRegisters, checkRegisters } from './registers.ts';
import { BAR_BYTES, DOORBELLS, MAX_IO_QUEUES, MSIX_PENDING, MSIX_TABLE } from './spec.ts';

// A vendor that virtual machines use; drivers go by the class.
const PCI_VENDOR = 0x1234;
const PCI_DEVICE = 0x5356;
const PCI_CLASS_NVME = 0x01_08_02;
const DOORBELL_BYTES = 0x1000;

export interface NvmeControllerOptions {
  /** unique in its machine, e.g. `nvme-0` */
  readonly name: string;
  readonly backend: BlockBackend;
  readonly memory: GuestMemory;
  readonly sendMsi: SendMsi;
  /** what the guest sees as the disk's identity, up to 20 plain characters */
  readonly serial: string;
  /** pairs of I/O queues, one a vCPU; 1 by default */
  readonly ioQueues?: number;
}

/** A part that has a section of its own. */
const part = (value: unknown) => value;
const checkState = record({
  registers: checkRegisters,
  queues: checkQueueSet,
  features: checkFeatures,
  asyncEvents: list(u16, 0, ASYNC_EVENT_LIMIT + 1),
  interruptMask: u32,
  function: part,
  msix: part,
});
export type NvmeControllerState = Checked<typeof checkState>;

/**
 * @example
 * const disk = new NvmeController({ name: 'nvme-0', backend, memory, sendMsi, serial: 'one' });
 * pciHost.plug(4, 0, disk.function);
 */
export class NvmeController implements Device {
  readonly name: string;
  /** To be plugged into a bridge. */
  readonly function: PciFunction;
  readonly persist: Persist<NvmeControllerState>;
  readonly #memory: GuestMemory;
  readonly #msix: Msix;
  readonly #registers: ControllerRegisters;
  readonly #queues: QueueSet;
  readonly #features: Features;
  readonly #admin: AdminCommands;
  readonly #io: IoCommands;
  #interruptMask = 0;

  constructor(options: NvmeControllerOptions) {
    const { name, backend, memory, serial } = options;
    const ioQueues = Math.min(options.ioQueues ?? 1, MAX_IO_QUEUES);
    this.name = name;
    this.#memory = memory;
    // One message for each pair of queues.
    this.#msix = new Msix({ vectors: ioQueues + 1, sendMsi: options.sendMsi });
    this.#queues = new QueueSet(memory, ioQueues, ioQueues + 1);
    this.#features = new Features(ioQueues);
    this.#io = new IoCommands({ backend, memory, writeCache: () => this.#features.writeCache });
    this.#admin = new AdminCommands({
      backend,
      memory,
      identity: { serial, uuid: uuidOf(`${name} ${serial}`) },
      queues: this.#queues,
      features: this.#features,
      counters: this.#io.counters,
    });
    this.#registers = new ControllerRegisters({
      enable: (adminSq, adminCq) => this.#queues.createAdmin(adminSq, adminCq),
      disable: () => this.#stop(),
      shutDown: () => this.#io.flush(),
      interruptMask: () => this.#interruptMask,
      setInterruptMask: (mask) => {
        this.#interruptMask = mask;
        this.#drivePin();
      },
    });
    this.function = new PciFunction({
      name: `${name}-pci`,
      vendorId: PCI_VENDOR,
      deviceId: PCI_DEVICE,
      subsystemVendorId: PCI_VENDOR,
      subsystemId: 1,
      classCode: PCI_CLASS_NVME,
      interruptPin: 1,
      bars: [{ kind: 'memory64', bytes: BAR_BYTES, bank: this.#buildBank() }],
      onConfigWrite: (offset, size) => this.#msix.configWritten(offset, size),
    });
    this.#msix.attach(this.function, {
      bar: 0,
      tableOffset: MSIX_TABLE,
      pendingOffset: MSIX_PENDING,
    });
    this.persist = section({
      name,
      version: 1,
      check: refine(
        checkState,
        ({ queues }) => this.#queues.accepts(queues),
        'the state of this controller',
      ),
      save: (): NvmeControllerState => ({
        registers: this.#registers.save(),
        queues: this.#queues.save(),
        features: this.#features.save(),
        asyncEvents: [...this.#admin.asyncEvents],
        interruptMask: this.#interruptMask,
        function: this.function.persist.save(),
        msix: this.#msix.persist.save(),
      }),
      load: (state) => this.#load(state),
    });
  }

  get counters(): Readonly<BlockCounters> {
    return this.#io.counters;
  }

  reset(): void {
    this.#stop();
    this.#registers.reset();
    this.#msix.reset();
    this.function.reset();
  }

  #load(state: NvmeControllerState): void {
    restoreTogether([
      [this.function, state.function],
      [this.#msix, state.msix],
    ]);
    this.#registers.load(state.registers);
    this.#queues.load(state.queues);
    this.#features.load(state.features);
    this.#admin.asyncEvents = state.asyncEvents;
    this.#interruptMask = state.interruptMask;
  }

  #stop(): void {
    this.#queues.clear();
    this.#features.reset();
    this.#admin.asyncEvents = [];
    this.#interruptMask = 0;
    this.function.interrupt.set(false);
  }

  #buildBank(): RegisterBank {
    const places = new Bus(this.name);
    places.map(0, DOORBELLS, this.#registers.bank);
    places.map(DOORBELLS, DOORBELL_BYTES, {
      read: () => 0,
      write: (offset, size, value) => this.#ring(offset, size, value),
    });
    places.map(MSIX_TABLE, this.#msix.tableBytes, this.#msix.table);
    places.map(MSIX_PENDING, this.#msix.pendingBytes, this.#msix.pending);
    return {
      read: (offset, size) => places.read(offset, size),
      write: (offset, size, value) => places.write(offset, size, value),
    };
  }

  /** Doorbells, 4 bytes each: the tail of submission queue n, then the head of completion queue n. */
  #ring(offset: number, size: AccessSize, value: number): void {
    if (size === 1 || offset % 4 !== 0 || !this.#registers.isReady) return;
    const id = offset >> 3;
    const index = value & 0xffff;
    if ((offset & 4) === 0) {
      const queue = this.#queues.submission.get(id);
      if (queue === undefined || index >= queue.entries) return;
      queue.tail = index;
      this.#serve(queue);
      return;
    }
    const queue = this.#queues.completion.get(id);
    if (queue === undefined || index >= queue.entries) return;
    const wasFull = queue.isFull;
    queue.head = index;
    this.#drivePin();
    if (!wasFull) return;
    for (const waiting of this.#queues.submission.values()) {
      if (waiting.completionQueue === id) this.#serve(waiting);
    }
  }

  /** Serves what is in a queue, as far as there is room for completions. */
  #serve(queue: SubmissionQueue): void {
    const completions = this.#queues.completion.get(queue.completionQueue);
    if (completions === undefined || !this.function.busMaster) return;
    let posted = 0;
    while (!completions.isFull) {
      const command = queue.next(this.#memory);
      if (command === undefined) break;
      const answer =
        queue.id === 0
          ? this.#admin.serve(command)
          : { status: this.#io.serve(command), result: 0 };
      if (answer === undefined) continue;
      completions.post(this.#memory, queue, command.id, answer.status, answer.result);
      posted++;
    }
    if (posted > 0) this.#interrupt(completions);
  }

  #interrupt(queue: CompletionQueue): void {
    if (!queue.interrupts) return;
    if (this.#msix.enabled) this.#msix.trigger(queue.vector);
    else this.#drivePin();
  }

  /** Without MSI-X the pin is up while a queue of an unmasked vector holds completions. */
  #drivePin(): void {
    let level = false;
    if (!this.#msix.enabled) {
      for (const queue of this.#queues.completion.values()) {
        const isMasked = ((this.#interruptMask >>> queue.vector) & 1) !== 0;
        level ||= queue.interrupts && !queue.isEmpty && !isMasked;
      }
    }
    this.function.interrupt.set(level);
  }
}
