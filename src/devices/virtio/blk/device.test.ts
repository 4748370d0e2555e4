import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryDisk } from '../../memory-disk.fixture.ts';
import { PLACE } from '../pci/registers.ts';
import { BUFFERS, type HandBuffer, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioBlk } from './device.ts';
import {
  VIRTIO_BLK_F_DISCARD,
  VIRTIO_BLK_F_FLUSH,
  VIRTIO_BLK_F_MQ,
  VIRTIO_BLK_F_RO,
  VIRTIO_BLK_F_WRITE_ZEROES,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
  VIRTIO_BLK_T_WRITE_ZEROES,
} from './spec.ts';

const SECTORS = 64;
const HEADER = BUFFERS;
const DATA = BUFFERS + 0x1000;
const STATUS = BUFFERS + 0x800;

function setup(options: { isReadOnly?: boolean; queues?: number; features?: bigint } = {}) {
  const disk = new MemoryDisk(SECTORS * 512, options.isReadOnly);
  const device = new VirtioBlk({
    name: 'virtio-blk-0',
    backend: disk,
    serial: 'number 5',
    queues: options.queues ?? 1,
  });
  const driver = new PciDriver(device);
  driver.start(options.features ?? VIRTIO_BLK_F_FLUSH);
  const header = (type: number, sector: number) => {
    const bytes = new DataView(new ArrayBuffer(16));
    bytes.setUint32(0, type, true);
    bytes.setBigUint64(8, BigInt(sector), true);
    driver.memory.write(HEADER, new Uint8Array(bytes.buffer));
  };
  /** Does one request; returns its status. */
  const request = (type: number, sector: number, data: readonly HandBuffer[] = [], queue = 0) => {
    header(type, sector);
    driver.memory.write(STATUS, Uint8Array.of(0xee));
    driver.post(queue, [reads(HEADER, 16), ...data, writes(STATUS, 1)]);
    driver.kick(queue);
    assert.equal(driver.used(queue).length, 1);
    return driver.bytes(STATUS, 1)[0];
  };
  const range = (sector: number, sectors: number, flags = 0) => {
    const bytes = new DataView(new ArrayBuffer(16));
    bytes.setBigUint64(0, BigInt(sector), true);
    bytes.setUint32(8, sectors, true);
    bytes.setUint32(12, flags, true);
    return new Uint8Array(bytes.buffer);
  };
  return { disk, device, driver, header, request, range };
}

const config = (driver: PciDriver, at: number, size: 1 | 2 | 4) =>
  driver.bar.read(PLACE.device + at, size);

describe('virtio-blk', () => {
  test('tells its capacity, limits and topology', () => {
    const { driver } = setup({ queues: 4 });
    assert.equal(config(driver, 0x00, 4), SECTORS);
    assert.equal(config(driver, 0x04, 4), 0);
    assert.equal(config(driver, 0x0c, 4), 254);
    assert.equal(config(driver, 0x14, 4), 512);
    assert.equal(config(driver, 0x22, 2), 4);
    assert.equal(config(driver, 0x2c, 4), 8);
    assert.equal(config(driver, 0x200, 4), 0);
    assert.ok(driver.offered() & VIRTIO_BLK_F_MQ);
    assert.ok(driver.offered() & VIRTIO_BLK_F_DISCARD);
    assert.equal(driver.offered() & VIRTIO_BLK_F_RO, 0n);
  });

  test('reads and writes sectors, however the buffers are cut', () => {
    const { disk, driver, request } = setup();
    assert.equal(
      request(VIRTIO_BLK_T_IN, 3, [writes(DATA, 100), writes(DATA + 500, 924)]),
      VIRTIO_BLK_S_OK,
    );
    assert.deepEqual(driver.bytes(DATA, 100), disk.contents.slice(1536, 1636));
    assert.deepEqual(driver.bytes(DATA + 500, 924), disk.contents.slice(1636, 2560));
    driver.memory.write(DATA, new Uint8Array(1024).fill(7));
    const cut = [reads(DATA, 1), reads(DATA + 1, 1022), reads(DATA + 1023, 1)];
    assert.equal(request(VIRTIO_BLK_T_OUT, SECTORS - 2, cut), VIRTIO_BLK_S_OK);
    assert.ok(disk.contents.subarray(-1024).every((byte) => byte === 7));
  });

  test('a header and a status may share buffers with the data', () => {
    const { disk, driver, header } = setup();
    header(VIRTIO_BLK_T_IN, 1);
    const head = driver.post(0, [reads(HEADER, 7), reads(HEADER + 7, 9), writes(DATA, 513)]);
    driver.kick(0);
    assert.deepEqual(driver.used(0), [{ head, bytes: 513 }]);
    assert.deepEqual(driver.bytes(DATA, 512), disk.contents.slice(512, 1024));
    assert.equal(driver.bytes(DATA + 512, 1)[0], VIRTIO_BLK_S_OK);
  });

  test('requests beyond the disk, of odd sizes or unknown kinds fail and change nothing', () => {
    const { disk, device, request } = setup();
    const before = disk.contents.slice();
    for (const [type, sector, bytes] of [
      [VIRTIO_BLK_T_OUT, SECTORS - 1, 1024],
      [VIRTIO_BLK_T_OUT, SECTORS, 512],
      [VIRTIO_BLK_T_OUT, 2 ** 40, 512],
      [VIRTIO_BLK_T_OUT, 0, 511],
    ] as const) {
      assert.equal(request(type, sector, [reads(DATA, bytes)]), VIRTIO_BLK_S_IOERR);
    }
    assert.equal(request(VIRTIO_BLK_T_IN, SECTORS, [writes(DATA, 512)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(99, 0), VIRTIO_BLK_S_UNSUPP);
    assert.deepEqual(disk.contents, before);
    assert.equal(device.counters.errors, 6);
  });

  test('a request without header or status breaks the rules', () => {
    const { driver } = setup();
    driver.post(0, [reads(HEADER, 15), writes(DATA, 1)]);
    driver.kick(0);
    assert.ok(driver.needsReset);
    driver.start();
    driver.post(0, [reads(HEADER, 16)]);
    driver.kick(0);
    assert.ok(driver.needsReset);
  });

  test('flush makes durable; a driver that cannot flush gets it with every write', () => {
    const cached = setup();
    cached.request(VIRTIO_BLK_T_OUT, 0, [reads(DATA, 512)]);
    assert.equal(cached.disk.flushes, 0);
    assert.equal(cached.request(VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_OK);
    assert.equal(cached.disk.flushes, 1);
    const through = setup({ features: 0n });
    through.request(VIRTIO_BLK_T_OUT, 0, [reads(DATA, 512)]);
    assert.equal(through.disk.flushes, 1);
  });

  test('tells its serial number', () => {
    const { driver, request } = setup();
    assert.equal(request(VIRTIO_BLK_T_GET_ID, 0, [writes(DATA, 20)]), VIRTIO_BLK_S_OK);
    const text = new TextDecoder().decode(driver.bytes(DATA, 20));
    assert.equal(text, 'number 5'.padEnd(20, '\0'));
    assert.equal(request(VIRTIO_BLK_T_GET_ID, 0, [writes(DATA, 4)]), VIRTIO_BLK_S_OK);
  });

  test('discards and zeroes ranges, all or none', () => {
    const features = VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES;
    const { disk, driver, request, range } = setup({ features });
    const put = (...ranges: Uint8Array[]) => {
      for (const [index, bytes] of ranges.entries()) driver.memory.write(DATA + 16 * index, bytes);
      return [reads(DATA, 16 * ranges.length)];
    };
    const two = put(range(1, 2), range(8, 1));
    assert.equal(request(VIRTIO_BLK_T_DISCARD, 0, two), VIRTIO_BLK_S_OK);
    assert.ok(disk.contents.subarray(512, 1536).every((byte) => byte === 0xdd));
    assert.ok(disk.contents.subarray(4096, 4608).every((byte) => byte === 0xdd));
    const zero = put(range(2, 1, 1));
    assert.equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, zero), VIRTIO_BLK_S_OK);
    assert.ok(disk.contents.subarray(1024, 1536).every((byte) => byte === 0));

    const before = disk.contents.slice();
    const refused: [number, Uint8Array[], number][] = [
      [VIRTIO_BLK_T_DISCARD, [range(0, 1), range(SECTORS, 1)], VIRTIO_BLK_S_IOERR],
      [VIRTIO_BLK_T_DISCARD, [range(0, 1, 1)], VIRTIO_BLK_S_UNSUPP],
      [VIRTIO_BLK_T_WRITE_ZEROES, [range(0, 1, 2)], VIRTIO_BLK_S_UNSUPP],
      [VIRTIO_BLK_T_DISCARD, new Array(17).fill(range(0, 1)), VIRTIO_BLK_S_IOERR],
    ];
    for (const [type, ranges, status] of refused) {
      assert.equal(request(type, 0, put(...ranges)), status);
    }
    assert.equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, [reads(DATA, 15)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, []), VIRTIO_BLK_S_IOERR);
    assert.deepEqual(disk.contents, before);
  });

  test('a read-only disk refuses what would change it', () => {
    const { disk, driver, request } = setup({ isReadOnly: true });
    assert.ok(driver.offered() & VIRTIO_BLK_F_RO);
    assert.equal(driver.offered() & VIRTIO_BLK_F_DISCARD, 0n);
    const before = disk.contents.slice();
    assert.equal(request(VIRTIO_BLK_T_OUT, 0, [reads(DATA, 512)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(VIRTIO_BLK_T_DISCARD, 0, [reads(DATA, 16)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_OK);
    assert.equal(request(VIRTIO_BLK_T_IN, 0, [writes(DATA, 512)]), VIRTIO_BLK_S_OK);
    assert.deepEqual(disk.contents, before);
    assert.equal(disk.flushes, 0);
  });

  test('failures of the image are errors in the guest, and others are ours', () => {
    const { disk, request } = setup();
    disk.failure = 'disk-io';
    assert.equal(request(VIRTIO_BLK_T_IN, 0, [writes(DATA, 512)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(VIRTIO_BLK_T_OUT, 0, [reads(DATA, 512)]), VIRTIO_BLK_S_IOERR);
    assert.equal(request(VIRTIO_BLK_T_FLUSH, 0), VIRTIO_BLK_S_IOERR);
    disk.failure = undefined;
    assert.equal(request(VIRTIO_BLK_T_IN, 0, [writes(DATA, 512)]), VIRTIO_BLK_S_OK);
  });

  test('each of several queues is served', () => {
    const { request } = setup({ queues: 4 });
    for (let queue = 0; queue < 4; queue++) {
      assert.equal(request(VIRTIO_BLK_T_IN, queue, [writes(DATA, 512)], queue), VIRTIO_BLK_S_OK);
    }
  });
});
