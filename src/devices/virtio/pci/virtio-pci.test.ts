import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EchoDevice } from '../echo.fixture.ts';
import { BUFFERS, PciDriver, RAM_BYTES, reads, writes } from '../pci-driver.fixture.ts';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from '../spec.ts';
import { COMMON, PLACE } from './registers.ts';

function setup() {
  const device = new EchoDevice();
  const driver = new PciDriver(device);
  return { device, driver };
}

/** Puts text into memory and a request to echo it into queue 0. */
function request(driver: PciDriver, text: string, at = BUFFERS): number {
  driver.memory.write(at, new TextEncoder().encode(text));
  return driver.post(0, [reads(at, text.length), writes(at + 0x1000, text.length)]);
}

const answer = (driver: PciDriver, length: number, at = BUFFERS) =>
  new TextDecoder().decode(driver.bytes(at + 0x1000, length));

describe('virtio over PCI', () => {
  test('is found by its identifiers and capabilities', () => {
    const { config } = setup().driver.transport.function;
    assert.equal(config.get(0, 4), 0x106a_1af4);
    assert.equal(config.get(8, 1), 1);
    const kinds: number[] = [];
    for (let at = config.get(0x34, 1); at !== 0; at = config.get(at + 1, 1)) {
      if (config.get(at, 1) === 9) kinds.push(config.get(at + 3, 1));
    }
    assert.deepEqual(kinds.sort(), [1, 2, 3, 4, 5]);
  });

  test('features are accepted as a whole, or not at all', () => {
    const { driver } = setup();
    const ours = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | (1n << 5n);
    assert.equal(driver.offered(), ours);
    driver.negotiate(ours);
    assert.ok(driver.status & STATUS_FEATURES_OK);
    driver.negotiate(VIRTIO_F_VERSION_1 | (1n << 6n));
    assert.equal(driver.status & STATUS_FEATURES_OK, 0);
    driver.negotiate(1n << 5n); // a legacy driver
    assert.equal(driver.status & STATUS_FEATURES_OK, 0);
    driver.write(COMMON.status, 1, driver.status | STATUS_DRIVER_OK);
    assert.equal(driver.status, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  });

  test('a request goes through, with its pin as interrupt', () => {
    const { driver } = setup();
    driver.start();
    const head = request(driver, 'what a day');
    driver.kick(0);
    assert.deepEqual(driver.used(0), [{ head, bytes: 10 }]);
    assert.equal(answer(driver, 10), 'what a day');
    assert.equal(driver.line.level, true);
    assert.equal(driver.bar.read(PLACE.isr, 1), 1);
    assert.equal(driver.line.level, false);
    assert.equal(driver.bar.read(PLACE.isr, 1), 0);
  });

  test('interrupts are messages once MSI-X is on, and wait while they are masked', () => {
    const { driver } = setup();
    driver.start();
    driver.enableMsix();
    request(driver, 'one');
    driver.kick(0);
    assert.deepEqual(driver.messages, [{ address: 0xfee0_0000, data: 0x41 }]);
    assert.equal(driver.line.level, false);
    driver.bar.write(PLACE.msixTable + 16 + 12, 4, 1);
    request(driver, 'two');
    driver.kick(0);
    assert.equal(driver.messages.length, 1);
    assert.equal(driver.bar.read(PLACE.msixPending, 4), 2);
    driver.bar.write(PLACE.msixTable + 16 + 12, 4, 0);
    assert.equal(driver.messages.length, 2);
    assert.equal(driver.bar.read(PLACE.msixPending, 4), 0);
  });

  test('a driver that asks for none is not interrupted', () => {
    const { driver } = setup();
    driver.start();
    driver.setAvailable(0, { flags: 1 });
    request(driver, 'quiet');
    driver.kick(0);
    assert.equal(driver.used(0).length, 1);
    assert.equal(driver.line.edges, 0);
  });

  test('with EVENT_IDX each side says when it wants to hear of the other', () => {
    const { driver } = setup();
    driver.start(VIRTIO_F_EVENT_IDX);
    driver.enableMsix();
    driver.setAvailable(0, { usedEvent: 0 });
    request(driver, 'first');
    driver.kick(0);
    assert.equal(driver.messages.length, 1);
    assert.equal(driver.availEvent(0), 1);
    driver.setAvailable(0, { usedEvent: 3 });
    for (const text of ['second', 'third']) {
      request(driver, text);
      driver.kick(0);
    }
    assert.equal(driver.messages.length, 1);
    request(driver, 'fourth');
    driver.kick(0);
    assert.equal(driver.messages.length, 2);
    assert.equal(driver.availEvent(0), 4);
    assert.equal(driver.used(0).length, 4);
  });

  test('indirect tables are followed when they were agreed on', () => {
    const { driver, device } = setup();
    driver.start(VIRTIO_F_INDIRECT_DESC);
    driver.memory.write(BUFFERS, Uint8Array.of(1, 2, 3, 4));
    const pieces = [reads(BUFFERS, 1), reads(BUFFERS + 1, 3), writes(BUFFERS + 64, 2)];
    const head = driver.postIndirect(0, [...pieces, writes(BUFFERS + 128, 9)]);
    driver.kick(0);
    assert.deepEqual(driver.used(0), [{ head, bytes: 4 }]);
    assert.deepEqual([...driver.bytes(BUFFERS + 64, 2)], [1, 2]);
    assert.deepEqual([...driver.bytes(BUFFERS + 128, 3)], [3, 4, 0]);
    driver.start();
    driver.postIndirect(0, pieces);
    driver.kick(0);
    assert.ok(driver.needsReset);
    assert.equal(device.served, 1);
  });

  test('a queue goes around its ring, and past 65536', () => {
    const { driver, device } = setup();
    driver.start(VIRTIO_F_EVENT_IDX, 4);
    for (let count = 0; count < 70_000; count++) {
      driver.post(0, [writes(BUFFERS, 4)]);
      driver.kick(0);
      if (driver.used(0).length !== 1) assert.fail(`request ${count} was lost`);
    }
    assert.equal(device.served, 70_000);
  });

  const broken: Record<string, (driver: PciDriver) => void> = {
    'a buffer outside RAM': (driver) => driver.post(0, [writes(RAM_BYTES - 4, 8)]),
    'a buffer far outside': (driver) => driver.post(0, [reads(2 ** 52, 8)]),
    'a chain that loops'(driver) {
      driver.describe(0, 0, reads(BUFFERS, 4), VIRTQ_DESC_F_NEXT, 1);
      driver.describe(0, 1, reads(BUFFERS, 4), VIRTQ_DESC_F_NEXT, 0);
      driver.offer(0, 0);
    },
    'a successor beyond the table'(driver) {
      driver.describe(0, 0, reads(BUFFERS, 4), VIRTQ_DESC_F_NEXT, 16);
      driver.offer(0, 0);
    },
    'a head beyond the table': (driver) => driver.offer(0, 999),
    'a readable buffer after a writable one': (driver) => {
      driver.post(0, [writes(BUFFERS, 4), reads(BUFFERS, 4)]);
    },
    'more requests than the ring holds': (driver) => driver.setAvailable(0, { index: 17 }),
    'an indirect table that has one itself'(driver) {
      driver.postIndirect(0, [reads(BUFFERS, 4)]);
      const table = driver.base(0) + 0xc000;
      driver.memory.write32(table + 12, VIRTQ_DESC_F_INDIRECT);
    },
    'an indirect table of no size'(driver) {
      driver.describe(0, 0, reads(BUFFERS, 0), VIRTQ_DESC_F_INDIRECT);
      driver.offer(0, 0);
    },
    'an indirect table with a successor'(driver) {
      driver.describe(0, 0, reads(BUFFERS, 16), VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 1);
      driver.offer(0, 0);
    },
  };
  for (const [what, doIt] of Object.entries(broken)) {
    test(`${what} stops the device until it is reset`, () => {
      const { driver, device } = setup();
      driver.start(VIRTIO_F_INDIRECT_DESC);
      driver.enableMsix();
      doIt(driver);
      driver.kick(0);
      assert.ok(driver.needsReset);
      assert.equal(driver.used(0).length, 0);
      assert.equal(device.served, 0);
      assert.match(driver.faults[0] ?? '', /driver of echo broke the rules: queue 0: /);
      assert.deepEqual(driver.messages, [{ address: 0xfee0_0000, data: 0x40 }]);
      driver.post(1, [writes(BUFFERS, 4)]);
      driver.kick(1);
      assert.equal(driver.used(1).length, 0, 'the other queue stands still too');
      driver.start();
      assert.equal(driver.status & STATUS_NEEDS_RESET, 0);
      request(driver, 'again');
      driver.kick(0);
      assert.equal(driver.used(0).length, 1);
    });
  }

  test('queues that cannot be where the driver puts them need a reset', () => {
    for (const [size, base] of [
      [16, 8],
      [16, RAM_BYTES],
      [12, 0x1_0000],
      [0, 0x1_0000],
    ] as const) {
      const { driver } = setup();
      driver.negotiate(VIRTIO_F_VERSION_1);
      driver.setUpQueue(0, size, base);
      driver.write(COMMON.status, 1, driver.status | STATUS_DRIVER_OK);
      assert.ok(driver.needsReset, `${size} at ${base}`);
    }
  });

  test('a kick is nothing before the driver is ready, or while it may not use memory', () => {
    const { driver, device } = setup();
    driver.kick(0);
    driver.start();
    driver.transport.function.writeConfig(0x04, 2, 0x0002);
    request(driver, 'no');
    driver.kick(0);
    assert.equal(device.served, 0);
    driver.transport.function.writeConfig(0x04, 2, 0x0006);
    driver.kick(0);
    assert.equal(device.served, 1);
    driver.kick(7);
  });

  test('the window in configuration space reaches the registers', () => {
    const { driver } = setup();
    const { function: card } = driver.transport;
    let at = card.config.get(0x34, 1);
    while (card.config.get(at, 1) !== 9 || card.config.get(at + 3, 1) !== 5) {
      at = card.config.get(at + 1, 1);
    }
    const aim = (offset: number, size: number) => {
      card.writeConfig(at + 4, 1, 0);
      card.writeConfig(at + 8, 4, offset);
      card.writeConfig(at + 12, 4, size);
    };
    aim(PLACE.common + COMMON.queueCount, 2);
    assert.equal(card.readConfig(at + 16, 2), 2);
    aim(PLACE.common + COMMON.status, 1);
    card.writeConfig(at + 16, 1, STATUS_ACKNOWLEDGE);
    assert.equal(driver.status, STATUS_ACKNOWLEDGE);
    for (const [offset, size] of [
      [0x7fff, 4],
      [0x8000, 1],
      [0, 3],
      [0, 0],
      [2, 4],
    ] as const) {
      aim(offset, size);
      card.readConfig(at + 16, 4);
      card.writeConfig(at + 16, 4, 0xffff_ffff);
    }
    assert.equal(driver.status, STATUS_ACKNOWLEDGE);
  });

  test('a saved device goes on where it was, in another machine', () => {
    const { driver, device } = setup();
    driver.start(VIRTIO_F_EVENT_IDX);
    driver.enableMsix();
    driver.setAvailable(0, { usedEvent: 5 });
    for (const text of ['a', 'b', 'c']) {
      request(driver, text);
      driver.kick(0);
    }
    const saved = structuredClone(driver.transport.persist.save());
    request(driver, 'waits');
    const ram = driver.bytes(0, 0x2_0000);

    const other = setup();
    other.driver.memory.write(0, ram);
    other.driver.memory.write(BUFFERS, driver.bytes(BUFFERS, 0x2000));
    other.driver.transport.persist.restore(saved);
    assert.equal(other.device.served, 3);
    assert.deepEqual(other.driver.transport.persist.save(), saved);
    other.driver.size = 16;
    other.driver.kick(0);
    assert.equal(other.device.served, 4);
    assert.equal(other.driver.used(0).length, 4);
    assert.equal(device.served, 3);
  });

  test('reset brings it back to the power-on state', () => {
    const { driver, device } = setup();
    const fresh = driver.transport.persist.save();
    const { config } = driver.transport.function;
    driver.start();
    driver.enableMsix();
    request(driver, 'x');
    driver.kick(0);
    driver.transport.reset();
    assert.ok(device.resets > 0);
    assert.equal(config.get(0x10, 4), 4);
    const again = driver.transport.persist.save();
    assert.deepEqual(again.common, fresh.common);
    assert.deepEqual(again.msix, fresh.msix);
  });
});
