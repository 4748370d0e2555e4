import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLACE } from '../pci/registers.ts';
import { BUFFERS, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioFs } from './device.ts';
import { EchoServer } from './echo-server.fixture.ts';

const REQUESTS = 1;

function start() {
  const server = new EchoServer();
  const device = new VirtioFs({ name: 'virtio-fs-0', tag: 'viv0', server });
  const driver = new PciDriver(device);
  driver.start();
  const ask = (opcode: number) => {
    driver.memory.write(BUFFERS, new Uint8Array(48).fill(opcode));
    return driver.post(REQUESTS, [reads(BUFFERS, 48), writes(BUFFERS + 4096, 100)]);
  };
  return { server, device, driver, ask };
}

test('the tag and the number of queues stand in the configuration', () => {
  const { driver } = start();
  const config = Array.from({ length: 40 }, (_, at) => driver.bar.read(PLACE.device + at, 1));
  assert.equal(String.fromCharCode(...config.slice(0, 4)), 'viv0');
  assert.ok(config.slice(4, 36).every((byte) => byte === 0));
  assert.deepEqual(config.slice(36), [1, 0, 0, 0]);
});

test('messages go to the server and answers to the driver, as long as they are', () => {
  const { driver, device, ask } = start();
  const head = ask(2);
  driver.kick(REQUESTS);
  assert.deepEqual(driver.used(REQUESTS), [{ head, bytes: 48 }]);
  assert.deepEqual(driver.bytes(BUFFERS + 4096, 48), new Uint8Array(48).fill(2));
  assert.deepEqual(device.counters, { requests: 1, bytesToServer: 48, bytesToGuest: 48 });
});

test('an answer may come later, after those to later messages, with an interrupt of its own', () => {
  const { driver, device, ask } = start();
  driver.enableMsix();
  const first = ask(1);
  const second = ask(2);
  // The second request has overwritten the first: take the numbers only.
  driver.memory.write(BUFFERS, new Uint8Array(48).fill(1));
  driver.kick(REQUESTS);
  assert.deepEqual(driver.used(REQUESTS), []);
  driver.messages.length = 0;
  assert.equal(device.poll(), true);
  assert.deepEqual(
    driver.used(REQUESTS).map(({ head }) => head),
    [first, second],
  );
  assert.ok(driver.messages.length > 0);
  assert.equal(device.poll(), false);
});

test('an answer to a driver that is gone is dropped', () => {
  const { driver, server, device, ask } = start();
  ask(1);
  driver.kick(REQUESTS);
  driver.write(0x14, 1, 0); // device status: reset
  assert.equal(server.resets, 1);
  driver.setAvailable(REQUESTS, { index: 0 });
  driver.start();
  device.poll();
  assert.deepEqual(driver.used(REQUESTS), []);
  assert.equal(driver.needsReset, false);
});

test('a request without a header breaks the driver', () => {
  const { driver, server } = start();
  driver.post(REQUESTS, [reads(BUFFERS, 39), writes(BUFFERS + 4096, 100)]);
  driver.kick(REQUESTS);
  assert.equal(driver.needsReset, true);
  assert.equal(server.handled, 0);
});

test('nothing is under way in what is saved', () => {
  const { driver, ask } = start();
  const head = ask(1);
  driver.kick(REQUESTS);
  const saved = driver.transport.persist.save();
  assert.deepEqual(driver.used(REQUESTS), [{ head, bytes: 48 }]);
  driver.transport.persist.restore(saved);
  assert.deepEqual(driver.used(REQUESTS), []);
});
