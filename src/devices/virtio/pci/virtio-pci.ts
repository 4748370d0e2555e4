/**
 * A virtio device as a PCI function: modern only. VIRTIO 1.2, section 4.1.
 *
 * All structures and the MSI-X tables lie in one 64-bit BAR. A driver that has not enabled MSI-X gets
 * the interrupt pin and the ISR register. Left out: the legacy interface, notification data, reset of
 * single queues, shared memory regions.
 */
import { Bus, type Device, type RegisterBank } from '../../../bus/mod.ts';
import type { GuestMemory } from '../../../memory/mod.ts';
import { type Checked, type Persist, record, refine, section, u8 } from '../../../state/mod.ts';
import { PciFunction } from '../../pci/function.ts';
import { Msix, type SendMsi } from '../../pci/msix.ts';
import { restoreTogether } from '../../restore-together.ts';
import type { VirtioDevice } from '../device.ts';
import { Virtqueue } from '../queue/virtqueue.ts';
import {
  STATUS_DRIVER_OK,
  STATUS_NEEDS_RESET,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
} from '../spec.ts';
import { addVirtioCapabilities, ConfigWindow } from './capabilities.ts';
import { CommonConfig, checkCommonConfig } from './common-config.ts';
import {
  BAR,
  BAR_BYTES,
  ISR_CONFIG,
  ISR_QUEUE,
  NO_VECTOR,
  NOTIFY_MULTIPLIER,
  PLACE,
  STRUCTURE_BYTES,
} from './registers.ts';

const VENDOR_VIRTIO = 0x1af4;
const DEVICE_BASE = 0x1040;
const MODERN_REVISION = 1;

export interface VirtioPciOptions {
  readonly device: VirtioDevice;
  readonly memory: GuestMemory;
  readonly sendMsi: SendMsi;
  /** told, in one sentence, when a driver breaks the rules */
  readonly onBroken?: ((sentence: string) => void) | undefined;
}

/** A part that has a section of its own. */
const part = (value: unknown) => value;
function checkState(queueCount: number) {
  const common = checkCommonConfig(queueCount);
  return record({ isr: u8, common, function: part, msix: part, device: part });
}
export type VirtioPciState = Checked<ReturnType<typeof checkState>>;

/**
 * @example
 * const disk = new VirtioPci({ device: new VirtioBlk({ ... }), memory, sendMsi });
 * pciHost.plug(3, 0, disk.function);
 */
export class VirtioPci implements Device {
  readonly name: string;
  /** To be plugged into a bridge. */
  readonly function: PciFunction;
  readonly persist: Persist<VirtioPciState>;
  readonly #device: VirtioDevice;
  readonly #msix: Msix;
  readonly #common: CommonConfig;
  readonly #queues: readonly Virtqueue[];
  readonly #window: ConfigWindow;
  readonly #onBroken: (sentence: string) => void;
  #isr = 0;

  constructor(options: VirtioPciOptions) {
    const { device, memory } = options;
    this.name = device.name;
    this.#device = device;
    this.#onBroken = options.onBroken ?? (() => {});
    const queueOwner = {
      memory,
      interrupt: (queue: Virtqueue) => this.#interrupt(queue.vector, ISR_QUEUE),
      broken: (reason: string) => this.#broken(reason),
    };
    this.#queues = device.queueSizes.map((size, index) => new Virtqueue(index, size, queueOwner));
    // One message for each queue, and one for changes of configuration.
    this.#msix = new Msix({ vectors: this.#queues.length + 1, sendMsi: options.sendMsi });
    this.#common = new CommonConfig({
      offered: device.features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
      queues: this.#queues,
      vectors: this.#msix.vectors,
      driverReady: () => this.#activate(),
      resetRequested: () => this.#resetDevice(),
    });
    const bank = this.#buildBank();
    this.function = new PciFunction({
      name: `${device.name}-pci`,
      vendorId: VENDOR_VIRTIO,
      deviceId: DEVICE_BASE + device.type,
      subsystemVendorId: VENDOR_VIRTIO,
      subsystemId: DEVICE_BASE + device.type,
      classCode: device.pciClass,
      revision: MODERN_REVISION,
      interruptPin: 1,
      bars: [{ kind: 'memory64', bytes: BAR_BYTES, bank }],
      onConfigRead: (offset, size) => this.#window.read(offset, size),
      onConfigWrite: (offset, size) => {
        this.#msix.configWritten(offset, size);
        this.#window.written(offset, size);
      },
    });
    this.#msix.attach(this.function, {
      bar: BAR,
      tableOffset: PLACE.msixTable,
      pendingOffset: PLACE.msixPending,
    });
    this.#window = new ConfigWindow(this.function, bank, addVirtioCapabilities(this.function));
    this.persist = section({
      name: this.name,
      version: 1,
      check: refine(
        checkState(this.#queues.length),
        ({ common }) =>
          common.queues.every(({ size }, index) => size <= (this.#queues[index]?.maxSize ?? 0)),
        'the state of this device',
      ),
      save: (): VirtioPciState => ({
        isr: this.#isr,
        common: this.#common.save(),
        function: this.function.persist.save(),
        msix: this.#msix.persist.save(),
        device: device.persist.save(),
      }),
      load: (state) => this.#load(state),
    });
  }

  reset(): void {
    this.#resetDevice();
    this.#msix.reset();
    this.function.reset();
    this.#common.generation = 0;
  }

  #load(state: VirtioPciState): void {
    restoreTogether([
      [this.function, state.function],
      [this.#msix, state.msix],
      [this.#device, state.device],
    ]);
    this.#isr = state.isr;
    this.#common.load(state.common);
    if (this.#isRunning) this.#activate();
  }

  get #isRunning(): boolean {
    return (this.#common.status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) === STATUS_DRIVER_OK;
  }

  #buildBank(): RegisterBank {
    const device = this.#device;
    const structures = new Bus(device.name);
    structures.map(PLACE.common, STRUCTURE_BYTES, this.#common.registers);
    structures.map(PLACE.isr, STRUCTURE_BYTES, {
      read: (offset) => (offset === 0 ? this.#takeIsr() : 0),
      write() {},
    });
    structures.map(PLACE.device, STRUCTURE_BYTES, {
      read: (offset, size) => device.readConfig(offset, size),
      write: (offset, size, value) => device.writeConfig?.(offset, size, value),
    });
    structures.map(PLACE.notify, STRUCTURE_BYTES, {
      read: () => 0,
      write: (offset) => this.#notify(Math.floor(offset / NOTIFY_MULTIPLIER)),
    });
    structures.map(PLACE.msixTable, this.#msix.tableBytes, this.#msix.table);
    structures.map(PLACE.msixPending, this.#msix.pendingBytes, this.#msix.pending);
    return {
      read: (offset, size) => structures.read(offset, size),
      write: (offset, size, value) => structures.write(offset, size, value),
    };
  }

  #activate(): void {
    const features = this.#common.driverFeatures;
    for (const queue of this.#queues) {
      if (!queue.activate(features)) {
        this.#broken(`queue ${queue.index}: a size or an address that cannot be`);
        return;
      }
    }
    this.#device.activate({
      features,
      queues: this.#queues,
      configChanged: () => this.#configChanged(),
      broken: (reason) => this.#broken(reason),
    });
  }

  #notify(index: number): void {
    const queue = this.#queues[index];
    if (queue?.ready && this.#isRunning && this.function.busMaster) this.#device.notify(index);
  }

  #resetDevice(): void {
    this.#device.reset();
    this.#common.reset();
    this.#isr = 0;
    this.function.interrupt.set(false);
  }

  #broken(reason: string): void {
    if (this.#common.status & STATUS_NEEDS_RESET) return;
    const isRunning = this.#isRunning;
    this.#common.status |= STATUS_NEEDS_RESET;
    for (const queue of this.#queues) queue.halt();
    if (isRunning) this.#configChanged();
    this.#onBroken(`the guest's driver of ${this.name} broke the rules: ${reason}`);
  }

  #configChanged(): void {
    this.#common.generation = (this.#common.generation + 1) & 0xff;
    this.#interrupt(this.#common.configVector, ISR_CONFIG);
  }

  #interrupt(vector: number, cause: number): void {
    if (this.#msix.enabled) {
      if (vector !== NO_VECTOR) this.#msix.trigger(vector);
      return;
    }
    this.#isr |= cause;
    this.function.interrupt.set(true);
  }

  /** Reading tells the causes and lowers the pin. */
  #takeIsr(): number {
    const causes = this.#isr;
    this.#isr = 0;
    this.function.interrupt.set(false);
    return causes;
  }
}
