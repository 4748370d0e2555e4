import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN_FRAME } from '../bus/mod.ts';
import { checksum, pseudoHeaderSum } from './checksum.ts';
import { CapturedLink, pcapHeader, pcapPacket } from './pcap.ts';
import { FakeLink } from './test-kit.fixture.ts';

test('capture: the header is that of a little-endian file with nanoseconds and Ethernet', () => {
  const hex = Buffer.from(pcapHeader()).toString('hex');
  assert.equal(hex, '4d3cb2a10200040000000000000000000d00010001000000');
});

test('capture: a packet has its time and both lengths', () => {
  const packet = Buffer.from(
    pcapPacket(Uint8Array.of(1, 2, 3), PLAIN_FRAME, 1_700_000_000_123_456_800),
  );
  assert.equal(packet.readUInt32LE(0), 1_700_000_000);
  assert.ok(Math.abs(packet.readUInt32LE(4) - 123_456_789) < 1000, 'as exact as a number is');
  assert.deepEqual([packet.readUInt32LE(8), packet.readUInt32LE(12)], [3, 3]);
  assert.deepEqual([...packet.subarray(16)], [1, 2, 3]);
});

test('capture: a checksum that was left undone is completed', () => {
  const [source, destination] = [Uint8Array.of(10, 0, 2, 15), Uint8Array.of(10, 0, 2, 2)];
  const frame = new Uint8Array(34 + 8 + 3).fill(9);
  const sum = pseudoHeaderSum(source, destination, 17, 11);
  frame.set([sum >> 8, sum & 0xff], 40);
  const offload = { ...PLAIN_FRAME, checksum: { start: 34, offset: 6 } };
  const whole = pcapPacket(frame, offload, 0).subarray(16);
  assert.equal(checksum(whole, 34, whole.length, sum), 0);
  assert.equal(frame[40], sum >> 8, 'the frame itself stays as it was');
});

test('capture: both directions are recorded, what did not go out is not', () => {
  const link = new FakeLink();
  const recorded: number[] = [];
  const captured = new CapturedLink(link, (frame) => recorded.push(frame.length));
  captured.connect({ receive: () => true, settled() {}, ready() {}, restarted() {} });
  captured.send(new Uint8Array(60), PLAIN_FRAME);
  link.receiver?.receive(new Uint8Array(61), PLAIN_FRAME);
  link.hasRoom = false;
  captured.send(new Uint8Array(62), PLAIN_FRAME);
  assert.deepEqual(recorded, [60, 61]);
});
