import { record, section, u32 } from '../../state/mod.ts';
import type { VirtioDevice, VirtioDriver } from './device.ts';

/** A device that writes back what it reads, to test queues and transport by. */
export class EchoDevice implements VirtioDevice {
  readonly name = 'echo';
  readonly type = 42;
  readonly pciClass = 0xff_00_00;
  readonly features = 1n << 5n;
  readonly queueSizes = [64, 16];
  /** requests served */
  served = 0;
  resets = 0;
  driver: VirtioDriver | undefined;
  readonly persist = section({
    name: 'echo',
    version: 1,
    check: record({ served: u32 }),
    save: () => ({ served: this.served }),
    load: ({ served }) => {
      this.served = served;
    },
  });

  readConfig(offset: number): number {
    return offset;
  }

  activate(driver: VirtioDriver): void {
    this.driver = driver;
  }

  notify(index: number): void {
    const queue = this.driver?.queues[index];
    if (queue === undefined) return;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const bytes = new Uint8Array(chain.readable);
      chain.read(0, bytes);
      this.served++;
      queue.complete(chain, chain.write(0, bytes));
    }
    queue.signal();
  }

  reset(): void {
    this.driver = undefined;
    this.resets++;
  }
}
