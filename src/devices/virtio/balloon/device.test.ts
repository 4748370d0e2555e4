import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VirtioDevice } from '../device.ts';
import { PLACE } from '../pci/registers.ts';
import { BUFFERS, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioBalloon } from './device.ts';
import { VIRTIO_BALLOON_F_REPORTING, VIRTIO_BALLOON_F_STATS_VQ } from './spec.ts';

const PAGE = 4096;
const FIRST = 0x20_0000 / PAGE;

function setup(features = VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_REPORTING) {
  // The balloon works on the memory that its driver lives in.
  let balloon: VirtioBalloon | undefined;
  const driver: PciDriver = new PciDriver((memory) => {
    balloon = new VirtioBalloon({ name: 'virtio-balloon-0', memory });
    return balloon as VirtioDevice;
  });
  driver.start(features);
  for (let page = 0; page < 8; page++) {
    driver.memory.write((FIRST + page) * PAGE, new Uint8Array(PAGE).fill(page + 1));
  }
  const firstBytes = () =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((page) => driver.bytes((FIRST + page) * PAGE, 1)[0]);
  return { driver, balloon: balloon as unknown as VirtioBalloon, firstBytes };
}

describe('virtio-balloon', () => {
  test('takes the pages that the driver gives, and tells how many it wants', () => {
    const { driver, balloon, firstBytes } = setup();
    driver.enableMsix();
    balloon.setTarget(3);
    assert.deepEqual(driver.messages, [{ address: 0xfee0_0000, data: 0x40 }]);
    assert.equal(driver.bar.read(PLACE.device, 4), 3);
    for (const [index, page] of [FIRST, FIRST + 2, FIRST + 5].entries()) {
      driver.memory.write32(BUFFERS + index * 4, page);
    }
    driver.post(0, [reads(BUFFERS, 12)]);
    driver.kick(0);
    assert.deepEqual(firstBytes(), [0, 2, 0, 4, 5, 0, 7, 8]);
    assert.equal(balloon.counters.inflated, 3);
    driver.bar.write(PLACE.device + 4, 4, 3);
    assert.equal(balloon.actualPages, 3);
    driver.post(1, [reads(BUFFERS, 12)]);
    driver.kick(1);
    assert.equal(balloon.counters.deflated, 3);
  });

  test('page numbers beyond the RAM are nothing', () => {
    const { driver, balloon } = setup();
    driver.memory.write32(BUFFERS, 0xffff_ffff);
    driver.memory.write32(BUFFERS + 4, 0x7000_0000);
    driver.post(0, [reads(BUFFERS, 10)]);
    driver.kick(0);
    assert.equal(balloon.counters.inflated, 0);
    assert.equal(driver.used(0).length, 1);
  });

  test('takes what the driver reports as free, with or without a queue for statistics before it', () => {
    for (const [features, queue] of [
      [VIRTIO_BALLOON_F_REPORTING | VIRTIO_BALLOON_F_STATS_VQ, 3],
      [VIRTIO_BALLOON_F_REPORTING, 2],
    ] as const) {
      const { driver, balloon, firstBytes } = setup(features);
      let settled = 0;
      driver.memory.releaseListener = () => settled++;
      driver.post(queue, [writes(FIRST * PAGE, 2 * PAGE), writes((FIRST + 6) * PAGE, PAGE)]);
      driver.kick(queue);
      assert.deepEqual(firstBytes(), [0, 0, 3, 4, 5, 6, 0, 8]);
      assert.equal(balloon.counters.reported, 3);
      assert.equal(settled, 1);
      assert.equal(driver.used(queue).length, 1);
    }
  });

  test('keeps the request for statistics until it wants new ones, also when it is saved', () => {
    const { driver, balloon } = setup();
    const tell = (free: number) => {
      driver.memory.write(BUFFERS, Uint8Array.of(4, 0, free, 0, 0, 0, 0, 0, 0, 0));
      driver.post(2, [reads(BUFFERS, 10)]);
      driver.kick(2);
    };
    tell(77);
    assert.deepEqual(balloon.statistics, { free: 77 });
    assert.equal(driver.used(2).length, 0);
    balloon.requestStatistics();
    assert.equal(driver.used(2).length, 1);
    tell(55);
    const saved = driver.transport.persist.save();
    driver.transport.persist.restore(structuredClone(saved));
    assert.deepEqual(driver.transport.persist.save(), saved);
    assert.equal(driver.used(2).length, 0);
    balloon.requestStatistics();
    assert.equal(driver.used(2).length, 1);
    balloon.requestStatistics();
    assert.equal(driver.used(2).length, 0);
  });
});
