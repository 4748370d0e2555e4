import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLACE } from '../pci/registers.ts';
import { BUFFERS, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioConsole } from './device.ts';
import { CONTROL, VIRTIO_CONSOLE_F_MULTIPORT } from './spec.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const INBOX = BUFFERS + 0x1000;

function setup(features = VIRTIO_CONSOLE_F_MULTIPORT) {
  const output: string[] = [];
  const opened: string[] = [];
  const port = (name?: string) => ({
    ...(name === undefined ? {} : { name }),
    output: (bytes: Uint8Array) => void output.push(`${name ?? 'console'}: ${text(bytes)}`),
    onOpen: (isOpen: boolean) => void opened.push(`${name ?? 'console'} ${isOpen}`),
  });
  const device = new VirtioConsole({ name: 'virtio-console-0', ports: [port(), port('agent')] });
  const driver = new PciDriver(device);
  driver.start(features);
  /** Sends a control message. */
  const tell = (id: number, event: number, value: number) => {
    driver.memory.write(BUFFERS, Uint8Array.of(id, 0, 0, 0, event, 0, value, 0));
    driver.post(3, [reads(BUFFERS, 8)]);
    driver.kick(3);
  };
  let offered = 0;
  /** Offers `count` buffers to a receive queue. */
  const offer = (queue: number, count: number, bytes = 64) => {
    for (; count > 0; count--) driver.post(queue, [writes(INBOX + 64 * (offered++ % 64), bytes)]);
    driver.kick(queue);
  };
  return { device, driver, output, opened, tell, offer };
}

/** Control messages that the device sent: port, event, value, and what follows. */
function messages(driver: PciDriver): string[] {
  const found: string[] = [];
  for (const [index, { bytes }] of driver.used(2).entries()) {
    const message = driver.bytes(INBOX + 64 * index, bytes);
    const rest = message[4] === CONTROL.portName ? ` ${text(message.subarray(8))}` : '';
    found.push(`${message[0]} ${message[4]} ${message[6]}${rest}`);
  }
  return found;
}

describe('virtio-console', () => {
  test('tells of its ports, their names, and that they are open', () => {
    const { driver, opened, tell, offer } = setup();
    offer(2, 12);
    tell(0, CONTROL.deviceReady, 1);
    tell(0, CONTROL.portReady, 1);
    tell(1, CONTROL.portReady, 1);
    tell(9, CONTROL.portReady, 1);
    tell(0, CONTROL.portOpen, 1);
    assert.deepEqual(messages(driver), [
      `0 ${CONTROL.portAdd} 1`,
      `1 ${CONTROL.portAdd} 1`,
      `0 ${CONTROL.consolePort} 1`,
      `0 ${CONTROL.portOpen} 1`,
      `0 ${CONTROL.resize} 0`,
      `1 ${CONTROL.portName} 1 agent`,
      `1 ${CONTROL.portOpen} 1`,
    ]);
    assert.deepEqual(opened, ['console true']);
  });

  test('control messages wait for room', () => {
    const { driver, tell, offer } = setup();
    tell(0, CONTROL.deviceReady, 1);
    assert.equal(driver.used(2).length, 0);
    offer(2, 1);
    assert.equal(driver.used(2).length, 1);
    offer(2, 3);
    assert.equal(driver.used(2).length, 1);
  });

  test('carries bytes both ways, each port its own', () => {
    const { device, driver, output, tell, offer } = setup();
    tell(0, CONTROL.portOpen, 1);
    tell(1, CONTROL.portOpen, 1);
    driver.memory.write(BUFFERS, new TextEncoder().encode('to the host'));
    driver.post(1, [reads(BUFFERS, 3), reads(BUFFERS + 3, 8)]);
    driver.kick(1);
    driver.post(5, [reads(BUFFERS + 7, 4)]);
    driver.kick(5);
    assert.deepEqual(output, ['console: to the host', 'agent: host']);

    const bytes = new TextEncoder().encode('to the guest');
    assert.equal(device.receive(bytes), 0, 'there is no room yet');
    offer(0, 2, 5);
    assert.equal(device.receive(bytes), 10);
    assert.deepEqual(
      driver.used(0).map((each) => each.bytes),
      [5, 5],
    );
    assert.equal(text(driver.bytes(INBOX, 5)), 'to th');
    offer(4, 1);
    assert.equal(device.receive(bytes, 1), 12);
    tell(1, CONTROL.portOpen, 0);
    assert.equal(device.receive(bytes, 1), 0);
  });

  test('without control queues there is one port, open from the start, and its size in the configuration', () => {
    const { device, driver, offer } = setup(0n);
    offer(0, 1);
    assert.equal(device.receive(Uint8Array.of(65)), 1);
    device.resize(132, 50);
    assert.equal(driver.bar.read(PLACE.device, 4), 132 | (50 << 16));
    assert.equal(driver.bar.read(PLACE.isr, 1), 3);
  });

  test('an emergency write comes out without any driver', () => {
    const { driver, output } = setup();
    driver.write(0x14, 1, 0);
    driver.bar.write(PLACE.device + 8, 4, 0x21);
    assert.deepEqual(output, ['console: !']);
  });

  test('reset closes what the guest had open', () => {
    const { device, driver, opened, tell } = setup();
    tell(1, CONTROL.portOpen, 1);
    driver.write(0x14, 1, 0);
    assert.deepEqual(opened, ['agent true', 'agent false']);
    assert.equal(device.isOpen(1), false);
  });
});
