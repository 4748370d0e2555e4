/**
 * A PCI IDE controller in compatibility mode, as in Intel's PIIX3 (82371SB, device 0x7010): two channels
 * at the ports and interrupts of the PC/AT, and bus masters in BAR 4. Intel 82371FB/SB, section 2.3.
 * Left out: timing registers have no effect; native mode.
 */
import type { InterruptLine } from '../../bus/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { type Checked, list, type Persist, record, section } from '../../state/mod.ts';
import { PciFunction } from '../pci/function.ts';
import { BUS_MASTER_BYTES, BusMaster, checkBusMasterState } from './bus-master.ts';
import { checkChannelState, IdeChannel } from './channel.ts';
import type { IdeDrive } from './drive.ts';

/** Where a PC looks for its two channels. */
export const IDE_PORTS = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;
export const IDE_COMMAND_PORTS = 8;

const TIMING = 0x40;
/** IDE decode enable of both channels; the host may write all of it. */
const DECODE_ENABLED = 0x8000_8000;

const checkState = record({
  channels: list(checkChannelState, 2),
  busMasters: list(checkBusMasterState, 2),
  /** checked by the function's own section */
  pci: (value: unknown) => value,
});
export type IdeControllerState = Checked<typeof checkState>;

export interface IdeControllerOptions {
  readonly memory: GuestMemory;
  /** IRQ 14 and 15 */
  readonly lines: readonly [InterruptLine, InterruptLine];
  /** master and slave of the first channel, then of the second */
  readonly drives: readonly (IdeDrive | undefined)[];
}

export class IdeController {
  readonly name = 'ide';
  readonly function: PciFunction;
  readonly channels: readonly [IdeChannel, IdeChannel];
  readonly persist: Persist<IdeControllerState>;
  readonly #masters: readonly BusMaster[];

  constructor(options: IdeControllerOptions) {
    const { memory, lines, drives } = options;
    const masters = [new BusMaster(memory), new BusMaster(memory)] as const;
    this.#masters = masters;
    const channel = (index: 0 | 1): IdeChannel =>
      new IdeChannel({
        line: lines[index],
        drives: [drives[2 * index], drives[2 * index + 1]],
        onDmaReady: () => masters[index].run(this.channels[index].selected),
        onInterrupt: () => masters[index].interrupt(),
      });
    this.channels = [channel(0), channel(1)];
    this.function = new PciFunction({
      name: 'ide',
      vendorId: 0x8086,
      deviceId: 0x7010,
      classCode: 0x01_01_80,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      bars: [
        undefined,
        undefined,
        undefined,
        undefined,
        {
          kind: 'io',
          bytes: 2 * BUS_MASTER_BYTES,
          bank: {
            read: (offset, size) => masters[offset & 8 ? 1 : 0].read(offset & 7, size),
            write: (offset, size, value) => {
              const index = offset & 8 ? 1 : 0;
              if (masters[index].write(offset & 7, size, value)) {
                masters[index].run(this.channels[index].selected);
              }
            },
          },
        },
      ],
    });
    this.function.config.set(TIMING, 4, DECODE_ENABLED);
    this.function.config.allow(TIMING, 4, 0xffff_ffff);
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        channels: this.channels.map((each) => each.save()),
        busMasters: masters.map((each) => each.save()),
        pci: this.function.persist.save(),
      }),
      load: (state) => {
        this.function.persist.restore(state.pci);
        for (const index of [0, 1] as const) {
          const channelState = state.channels[index];
          const masterState = state.busMasters[index];
          if (channelState !== undefined) this.channels[index].load(channelState);
          if (masterState !== undefined) masters[index].load(masterState);
        }
      },
    });
  }

  reset(): void {
    this.function.reset();
    this.function.config.set(TIMING, 4, DECODE_ENABLED);
    for (const channel of this.channels) channel.reset();
    for (const master of this.#masters) master.reset();
  }
}
