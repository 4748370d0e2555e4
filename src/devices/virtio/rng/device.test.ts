import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUFFERS, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioRng } from './device.ts';

test('virtio-rng: fills what the driver offers, with fresh numbers each time', () => {
  let next = 1;
  const fillRandom = (target: Uint8Array) => void target.fill(next++);
  const driver = new PciDriver(new VirtioRng({ name: 'virtio-rng-0', fillRandom }));
  driver.start();
  const heads = [
    driver.post(0, [writes(BUFFERS, 10), writes(BUFFERS + 100, 5)]),
    driver.post(0, [writes(BUFFERS + 0x1000, 10_000)]),
    driver.post(0, [reads(BUFFERS, 4)]),
  ];
  driver.kick(0);
  assert.deepEqual(driver.used(0), [
    { head: heads[0], bytes: 15 },
    { head: heads[1], bytes: 4096 },
    { head: heads[2], bytes: 0 },
  ]);
  assert.deepEqual([...driver.bytes(BUFFERS + 98, 8)], [0, 0, 1, 1, 1, 1, 1, 0]);
  assert.equal(driver.bytes(BUFFERS + 0x1000, 1)[0], 2);
});
