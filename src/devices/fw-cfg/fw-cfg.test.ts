import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FW_CFG_ITEM, FwCfg } from './mod.ts';

function reader(device: FwCfg) {
  return (item: number, count: number): number[] => {
    device.registers.write(0, 2, item);
    return Array.from({ length: count }, () => device.registers.read(1, 1));
  };
}

test('fw_cfg: firmware finds the device by its signature', () => {
  const read = reader(new FwCfg([]));
  assert.equal(String.fromCharCode(...read(FW_CFG_ITEM.signature, 4)), 'QEMU');
  assert.deepEqual(read(FW_CFG_ITEM.version, 4), [1, 0, 0, 0]);
});

test('fw_cfg: a file is found by the directory and read to its end, then as zeroes', () => {
  const device = new FwCfg([
    { name: 'etc/first', bytes: Uint8Array.of(1) },
    { name: 'etc/second', bytes: Uint8Array.of(7, 8, 9) },
  ]);
  const read = reader(device);
  const directory = Uint8Array.from(read(FW_CFG_ITEM.directory, 4 + 2 * 64));
  const view = new DataView(directory.buffer);
  assert.equal(view.getUint32(0), 2);
  const entry = 4 + 64;
  assert.equal(view.getUint32(entry), 3);
  const name = new TextDecoder().decode(directory.subarray(entry + 8, entry + 64));
  assert.equal(name.replace(/\0+$/, ''), 'etc/second');
  assert.deepEqual(read(view.getUint16(entry + 4), 5), [7, 8, 9, 0, 0]);
});

test('fw_cfg: selecting an item starts it again, and items that are not there are zero', () => {
  const read = reader(new FwCfg([{ name: 'a', bytes: Uint8Array.of(5, 6) }]));
  assert.deepEqual(read(0x20, 1), [5]);
  assert.deepEqual(read(0x20, 2), [5, 6]);
  assert.deepEqual(read(0x8000, 2), [0, 0]);
});

test('fw_cfg: a name that does not fit is refused', () => {
  assert.throws(() => new FwCfg([{ name: 'x'.repeat(56), bytes: new Uint8Array(0) }]), RangeError);
});
