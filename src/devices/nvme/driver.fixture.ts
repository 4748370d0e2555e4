/** The driver of an NVMe controller, played by hand. */
import { Bus } from '../../bus/mod.ts';
import { FramePool, GuestMemory } from '../../memory/mod.ts';
import type { MemoryDisk } from '../memory-disk.fixture.ts';
import { PCI_COMMAND, PCI_COMMAND_BUS_MASTER, PCI_COMMAND_MEMORY } from '../pci/function.ts';
import { PciHost } from '../pci/host.ts';
import { ProbeLine } from '../test-kit.fixture.ts';
import { NvmeController } from './controller.ts';
import { ADMIN, DOORBELLS, MSIX_TABLE, PAGE_BYTES, REGISTER } from './spec.ts';

const BAR_GPA = 0xc000_0000;
const RAM_BYTES = 4 * 2 ** 20;
const ENTRIES = 32;
const COMPLETION_ENTRIES = 16;
/** where lists of pages are put */
const LISTS = 0x8_0000;

/** Fields of a command; what is not given is zero. */
export interface HandCommand {
  readonly opcode: number;
  readonly flags?: number;
  readonly namespace?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  readonly dw10?: number;
  readonly dw11?: number;
  readonly dw12?: number;
}

interface Sides {
  tail: number;
  head: number;
  phase: boolean;
}

export class NvmeDriver {
  readonly memory: GuestMemory;
  readonly controller: NvmeController;
  readonly line = new ProbeLine();
  readonly messages: { address: number; data: number }[] = [];
  /** first doubleword of the last completion */
  result = 0;
  #queues: Sides[] = [fresh(), fresh()];
  readonly #bus = new Bus('memory');
  #nextId = 1;

  constructor(disk: MemoryDisk, options: { ioQueues?: number; ramBytes?: number } = {}) {
    const bytes = options.ramBytes ?? RAM_BYTES;
    const pool = new FramePool(GuestMemory.poolBytes(bytes), { shared: false });
    this.memory = new GuestMemory(pool, [{ start: 0, bytes }]);
    const lines = [this.line, this.line, this.line, this.line];
    const host = new PciHost({ ioBus: new Bus('io'), memoryBus: this.#bus, interruptLines: lines });
    this.controller = new NvmeController({
      name: 'nvme-0',
      backend: disk,
      memory: this.memory,
      sendMsi: (address, data) => this.messages.push({ address, data }),
      serial: 'serial 1',
      ioQueues: options.ioQueues ?? 2,
    });
    const card = this.controller.function;
    host.plug(4, 0, card);
    card.setBarAddress(0, BAR_GPA);
    card.writeConfig(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
  }

  read(register: number): number {
    return this.#bus.read(BAR_GPA + register, 4);
  }

  write(register: number, value: number): void {
    this.#bus.write(BAR_GPA + register, 4, value);
  }

  bytes(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.memory.read(gpa, bytes);
    return bytes;
  }

  enable(): void {
    this.write(REGISTER.adminQueueAttributes, (ENTRIES - 1) | ((COMPLETION_ENTRIES - 1) << 16));
    this.write(REGISTER.adminSqLow, sqBase(0));
    this.write(REGISTER.adminCqLow, cqBase(0));
    this.write(REGISTER.configuration, 0x0046_0001);
  }

  /** Makes the pair of queues 1, with the vector 1. */
  createQueues(): void {
    const dw11 = 3 | (1 << 16);
    const cq = { prp1: cqBase(1), dw10: 1 | ((COMPLETION_ENTRIES - 1) << 16), dw11 };
    this.admin({ opcode: ADMIN.createCq, ...cq }, { take: false });
    const sq = { prp1: sqBase(1), dw10: 1 | ((ENTRIES - 1) << 16), dw11: 1 | (1 << 16) };
    this.admin({ opcode: ADMIN.createSq, ...sq }, { take: false });
  }

  enableMsix(): void {
    for (let vector = 0; vector < 3; vector++) {
      this.write(MSIX_TABLE + 16 * vector, 0xfee0_0000);
      this.write(MSIX_TABLE + 16 * vector + 8, 0x40 + vector);
      this.write(MSIX_TABLE + 16 * vector + 12, 0);
    }
    const { config } = this.controller.function;
    this.controller.function.writeConfig(config.get(0x34, 1) + 2, 2, 0x8000);
  }

  /** Takes over the memory of another machine, and where its driver was. */
  adopt(other: NvmeDriver): void {
    this.memory.write(0, other.bytes(0, RAM_BYTES));
    this.#queues = structuredClone(other.#queues);
  }

  /** Puts a command into a queue; returns its identifier. */
  submit(queue: number, command: HandCommand): number {
    const sides = this.#queues[queue] as Sides;
    const id = this.#nextId++ & 0xffff;
    const at = sqBase(queue) + 64 * sides.tail;
    const words = new Array<number>(16).fill(0);
    words[0] = (command.opcode | ((command.flags ?? 0) << 8) | (id << 16)) >>> 0;
    words[1] = command.namespace ?? 0;
    words[6] = (command.prp1 ?? 0) % 2 ** 32;
    words[7] = Math.floor((command.prp1 ?? 0) / 2 ** 32);
    words[8] = (command.prp2 ?? 0) % 2 ** 32;
    words[10] = command.dw10 ?? 0;
    words[11] = command.dw11 ?? 0;
    words[12] = command.dw12 ?? 0;
    for (const [index, word] of words.entries()) this.memory.write32(at + index * 4, word);
    sides.tail = (sides.tail + 1) % ENTRIES;
    return id;
  }

  ring(queue: number): void {
    this.write(DOORBELLS + 8 * queue, (this.#queues[queue] as Sides).tail);
  }

  /** Takes the completions that are there, and tells the controller. */
  takeCompletions(queue: number): { id: number; status: number }[] {
    const sides = this.#queues[queue] as Sides;
    const taken: { id: number; status: number }[] = [];
    for (;;) {
      const at = cqBase(queue) + 16 * sides.head;
      const word = this.memory.read32(at + 12);
      if (((word >>> 16) & 1) !== (sides.phase ? 1 : 0)) break;
      this.result = this.memory.read32(at);
      taken.push({ id: word & 0xffff, status: (word >>> 17) & 0x7ff });
      sides.head = (sides.head + 1) % COMPLETION_ENTRIES;
      if (sides.head === 0) sides.phase = !sides.phase;
    }
    this.write(DOORBELLS + 8 * queue + 4, sides.head);
    return taken;
  }

  /** Does an admin command; returns its status, or undefined when it stays open. */
  admin(command: HandCommand, options: { take?: boolean } = {}): number | undefined {
    return this.#do(0, command, options.take ?? true);
  }

  io(command: HandCommand): number | undefined {
    return this.#do(1, command, true);
  }

  /** Reads, writes or compares `sectors` at `data`, with whatever pointers that takes. */
  transfer(
    opcode: number,
    sector: number,
    sectors: number,
    data: number,
    options: { take?: boolean } = {},
  ): number | undefined {
    const first = PAGE_BYTES - (data % PAGE_BYTES);
    const left = sectors * 512 - first;
    let prp2 = left > 0 ? data + first : 0;
    if (left > PAGE_BYTES) {
      for (let page = 0; page * PAGE_BYTES < left; page++) {
        this.memory.write32(LISTS + page * 8, data + first + page * PAGE_BYTES);
      }
      prp2 = LISTS;
    }
    const place = { dw10: sector % 2 ** 32, dw11: Math.floor(sector / 2 ** 32), dw12: sectors - 1 };
    const command = { opcode, namespace: 1, prp1: data, prp2, ...place };
    return this.#do(1, command, options.take ?? true);
  }

  #do(queue: number, command: HandCommand, isTaken: boolean): number | undefined {
    const id = this.submit(queue, command);
    this.ring(queue);
    if (!isTaken) return undefined;
    return this.takeCompletions(queue).find((completion) => completion.id === id)?.status;
  }
}

function fresh(): Sides {
  return { tail: 0, head: 0, phase: true };
}
function sqBase(queue: number): number {
  return 0x1_0000 + queue * 0x4000;
}
function cqBase(queue: number): number {
  return 0x1_2000 + queue * 0x4000;
}
