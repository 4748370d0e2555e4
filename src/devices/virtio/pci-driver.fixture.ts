/** The driver of a virtio device over PCI, played by hand through configuration space and the BAR. */
import { Bus, type RegisterBank } from '../../bus/mod.ts';
import { FramePool, GuestMemory } from '../../memory/mod.ts';
import { PCI_COMMAND, PCI_COMMAND_BUS_MASTER, PCI_COMMAND_MEMORY } from '../pci/function.ts';
import { PciHost } from '../pci/host.ts';
import { ProbeLine } from '../test-kit.fixture.ts';
import type { VirtioDevice } from './device.ts';
import { COMMON, PLACE } from './pci/registers.ts';
import { VirtioPci } from './pci/virtio-pci.ts';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  VIRTIO_F_VERSION_1,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from './spec.ts';

export const RAM_BYTES = 4 * 2 ** 20;
const BAR_GPA = 0xc000_0000;
const SLOT = 3;
/** Each queue has its rings in 64 KiB of its own; buffers come behind. */
const QUEUE_STRIDE = 0x1_0000;
const AVAIL = 0x4000;
const USED = 0x8000;
const INDIRECT = 0xc000;
export const BUFFERS = 0x10_0000;

export interface HandBuffer {
  readonly gpa: number;
  readonly bytes: number;
  readonly isWritable: boolean;
}

export class PciDriver {
  readonly memory = new GuestMemory(
    new FramePool(GuestMemory.poolBytes(RAM_BYTES), { shared: false }),
    [{ start: 0, bytes: RAM_BYTES }],
  );
  readonly transport: VirtioPci;
  readonly bar: RegisterBank;
  readonly line = new ProbeLine();
  /** messages that the device sent */
  readonly messages: { address: number; data: number }[] = [];
  readonly faults: string[] = [];
  readonly host: PciHost;
  readonly #available: number[] = [];
  readonly #seen: number[] = [];
  readonly #nextDescriptor: number[] = [];
  size = 0;

  /** @param device or what makes it, given the memory that the driver lives in */
  constructor(device: VirtioDevice | ((memory: GuestMemory) => VirtioDevice)) {
    const memoryBus = new Bus('memory');
    this.host = new PciHost({
      ioBus: new Bus('io'),
      memoryBus,
      interruptLines: [this.line, this.line, this.line, this.line],
    });
    this.transport = new VirtioPci({
      device: typeof device === 'function' ? device(this.memory) : device,
      memory: this.memory,
      sendMsi: (address, data) => this.messages.push({ address, data }),
      onBroken: (sentence) => this.faults.push(sentence),
    });
    this.host.plug(SLOT, 0, this.transport.function);
    this.place();
    this.bar = {
      read: (offset, size) => memoryBus.read(BAR_GPA + offset, size),
      write: (offset, size, value) => memoryBus.write(BAR_GPA + offset, size, value),
    };
  }

  /** Gives the BAR its place and lets the device use memory, as firmware and driver do. */
  place(): void {
    const { function: card } = this.transport;
    card.setBarAddress(0, BAR_GPA);
    card.writeConfig(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
  }

  read(field: number, size: 1 | 2 | 4): number {
    return this.bar.read(PLACE.common + field, size);
  }

  write(field: number, size: 1 | 2 | 4, value: number): void {
    this.bar.write(PLACE.common + field, size, value);
  }

  get status(): number {
    return this.read(COMMON.status, 1);
  }

  get needsReset(): boolean {
    return (this.status & STATUS_NEEDS_RESET) !== 0;
  }

  offered(): bigint {
    let features = 0n;
    for (const half of [0, 1]) {
      this.write(COMMON.deviceFeatureSelect, 4, half);
      features |= BigInt(this.read(COMMON.deviceFeature, 4)) << BigInt(32 * half);
    }
    return features;
  }

  /** Brings the device up: the features asked for, queues of `size` entries. */
  start(features: bigint = VIRTIO_F_VERSION_1, size = 16): void {
    this.negotiate(features | VIRTIO_F_VERSION_1);
    const queues = this.read(COMMON.queueCount, 2);
    for (let queue = 0; queue < queues; queue++) this.setUpQueue(queue, size);
    this.write(COMMON.status, 1, this.status | STATUS_DRIVER_OK);
  }

  negotiate(features: bigint): void {
    this.write(COMMON.status, 1, 0);
    this.write(COMMON.status, 1, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    for (const half of [0, 1]) {
      this.write(COMMON.driverFeatureSelect, 4, half);
      const value = (features >> BigInt(32 * half)) & 0xffff_ffffn;
      this.write(COMMON.driverFeature, 4, Number(value));
    }
    this.write(COMMON.status, 1, this.status | STATUS_FEATURES_OK);
  }

  setUpQueue(queue: number, size: number, base = this.base(queue)): void {
    this.size = size;
    this.#available[queue] = 0;
    this.#seen[queue] = 0;
    this.#nextDescriptor[queue] = 0;
    this.write(COMMON.queueSelect, 2, queue);
    this.write(COMMON.queueSize, 2, size);
    this.write(COMMON.queueVector, 2, queue + 1);
    this.write(COMMON.descriptorsLow, 4, base);
    this.write(COMMON.driverLow, 4, base + AVAIL);
    this.write(COMMON.deviceLow, 4, base + USED);
    this.write(COMMON.queueEnable, 2, 1);
  }

  base(queue: number): number {
    return QUEUE_STRIDE * (queue + 1);
  }

  /** Switches MSI-X on: vector n sends 0x40 + n. */
  enableMsix(): void {
    const vectors = this.read(COMMON.queueCount, 2) + 1;
    for (let vector = 0; vector < vectors; vector++) {
      const entry = PLACE.msixTable + 16 * vector;
      this.bar.write(entry, 4, 0xfee0_0000);
      this.bar.write(entry + 8, 4, 0x40 + vector);
      this.bar.write(entry + 12, 4, 0);
    }
    this.transport.function.writeConfig(this.capability(0x11) + 2, 2, 0x8000);
    this.write(COMMON.configVector, 2, 0);
  }

  /** Place of the first capability with this id. */
  capability(id: number): number {
    const { config } = this.transport.function;
    let at = config.get(0x34, 1);
    while (at !== 0 && config.get(at, 1) !== id) at = config.get(at + 1, 1);
    return at;
  }

  /** Writes one descriptor of a queue. */
  describe(queue: number, index: number, buffer: HandBuffer, flags: number, next = 0): void {
    this.#writeDescriptor(this.base(queue) + 16 * index, buffer, flags, next);
  }

  #writeDescriptor(
    at: number,
    { gpa, bytes, isWritable }: HandBuffer,
    flags: number,
    next: number,
  ) {
    this.memory.write32(at, gpa % 2 ** 32);
    this.memory.write32(at + 4, Math.floor(gpa / 2 ** 32));
    this.memory.write32(at + 8, bytes);
    const all = flags | (isWritable ? VIRTQ_DESC_F_WRITE : 0);
    this.memory.write32(at + 12, all | (next << 16));
  }

  /** Makes a chain of buffers available without telling; returns its head. */
  post(queue: number, buffers: readonly HandBuffer[]): number {
    const head = this.#nextDescriptor[queue] ?? 0;
    for (const [index, buffer] of buffers.entries()) {
      const at = this.#nextDescriptor[queue] ?? 0;
      const next = (at + 1) % this.size;
      this.#nextDescriptor[queue] = next;
      const isLast = index === buffers.length - 1;
      this.describe(queue, at, buffer, isLast ? 0 : VIRTQ_DESC_F_NEXT, isLast ? 0 : next);
    }
    this.offer(queue, head);
    return head;
  }

  /** As `post`, with the descriptors in a table of their own. */
  postIndirect(queue: number, buffers: readonly HandBuffer[]): number {
    const table = this.base(queue) + INDIRECT;
    for (const [index, buffer] of buffers.entries()) {
      const isLast = index === buffers.length - 1;
      this.#writeDescriptor(table + 16 * index, buffer, isLast ? 0 : VIRTQ_DESC_F_NEXT, index + 1);
    }
    const head = this.#nextDescriptor[queue] ?? 0;
    this.#nextDescriptor[queue] = (head + 1) % this.size;
    const whole = { gpa: table, bytes: 16 * buffers.length, isWritable: false };
    this.describe(queue, head, whole, VIRTQ_DESC_F_INDIRECT);
    this.offer(queue, head);
    return head;
  }

  /** Puts a head into the available ring. */
  offer(queue: number, head: number): void {
    const count = this.#available[queue] ?? 0;
    this.write16(this.base(queue) + AVAIL + 4 + 2 * (count % this.size), head);
    this.#available[queue] = (count + 1) & 0xffff;
    this.write16(this.base(queue) + AVAIL + 2, this.#available[queue] as number);
  }

  /** Sets flags, or the index, of the available ring. */
  setAvailable(
    queue: number,
    fields: { flags?: number; index?: number; usedEvent?: number },
  ): void {
    const at = this.base(queue) + AVAIL;
    if (fields.flags !== undefined) this.write16(at, fields.flags);
    if (fields.index !== undefined) this.write16(at + 2, fields.index);
    if (fields.usedEvent !== undefined) this.write16(at + 4 + 2 * this.size, fields.usedEvent);
  }

  /** The index at which the device wants to be told. */
  availEvent(queue: number): number {
    return this.read16(this.base(queue) + USED + 4 + 8 * this.size);
  }

  kick(queue: number): void {
    this.bar.write(PLACE.notify + 4 * queue, 2, queue);
  }

  /** Takes what the device has finished since the last call. */
  used(queue: number): { head: number; bytes: number }[] {
    const base = this.base(queue) + USED;
    const count = this.read16(base + 2);
    const finished: { head: number; bytes: number }[] = [];
    let seen = this.#seen[queue] ?? 0;
    for (; seen !== count; seen = (seen + 1) & 0xffff) {
      const at = base + 4 + 8 * (seen % this.size);
      finished.push({ head: this.memory.read32(at), bytes: this.memory.read32(at + 4) });
    }
    this.#seen[queue] = seen;
    return finished;
  }

  bytes(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.memory.read(gpa, bytes);
    return bytes;
  }

  write16(at: number, value: number): void {
    this.memory.write(at, Uint8Array.of(value & 0xff, (value >> 8) & 0xff));
  }

  read16(at: number): number {
    const [low = 0, high = 0] = this.bytes(at, 2);
    return low | (high << 8);
  }
}

/** A buffer for the device to read, or to write. */
export function reads(gpa: number, bytes: number): HandBuffer {
  return { gpa, bytes, isWritable: false };
}
export function writes(gpa: number, bytes: number): HandBuffer {
  return { gpa, bytes, isWritable: true };
}
