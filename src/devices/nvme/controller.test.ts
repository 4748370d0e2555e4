import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryDisk } from '../memory-disk.fixture.ts';
import { NvmeDriver } from './driver.fixture.ts';
import { ADMIN, MAX_TRANSFER_BYTES, NVM, PAGE_BYTES, REGISTER, STATUS } from './spec.ts';

const SECTORS = 4096;
const DATA = 0x10_0000;
const LIST = 0x20_0000;

function setup(isReadOnly = false) {
  const disk = new MemoryDisk(SECTORS * 512, isReadOnly);
  const driver = new NvmeDriver(disk);
  driver.enable();
  driver.createQueues();
  return { disk, driver };
}

describe('NVMe', () => {
  test('is ready once it is enabled, and not with queues that cannot be', () => {
    const driver = new NvmeDriver(new MemoryDisk(4096));
    assert.equal(driver.read(REGISTER.version), 0x1_0400);
    assert.equal(driver.read(REGISTER.status), 0);
    driver.enable();
    assert.equal(driver.read(REGISTER.status), 1);
    driver.write(REGISTER.configuration, 0);
    assert.equal(driver.read(REGISTER.status), 0);
    driver.write(REGISTER.adminSqHigh, 5);
    driver.write(REGISTER.configuration, 0x0046_0001);
    assert.equal(driver.read(REGISTER.status), 2, 'fatal');
  });

  test('identifies itself, its namespace, and lists it', () => {
    const { driver } = setup();
    const identify = (kind: number, namespace = 0) => {
      const status = driver.admin({ opcode: ADMIN.identify, namespace, prp1: DATA, dw10: kind });
      return { status, bytes: driver.bytes(DATA, PAGE_BYTES) };
    };
    const controller = identify(1);
    assert.equal(controller.status, STATUS.success);
    const text = new TextDecoder('latin1').decode(controller.bytes);
    assert.equal(text.slice(4, 24), 'serial 1'.padEnd(20));
    assert.match(text.slice(768, 1024), /^nqn\.2014-08\.org\.nvmexpress:uuid:[0-9a-f-]{36}\0/);
    const space = identify(0, 1);
    assert.equal(new DataView(space.bytes.buffer).getUint32(0, true), SECTORS);
    assert.equal(space.bytes[130], 9);
    assert.equal(identify(2).bytes[0], 1);
    assert.equal(identify(2, 1).bytes[0], 0);
    assert.equal(identify(3, 1).bytes[0], 3);
    assert.equal(identify(0, 2).status, STATUS.invalidNamespace);
    assert.equal(identify(0x77).status, STATUS.invalidField);
  });

  test('reads and writes, from one sector to the largest transfer', () => {
    const { disk, driver } = setup();
    assert.equal(driver.transfer(NVM.read, 3, 1, DATA + 512), STATUS.success);
    assert.deepEqual(driver.bytes(DATA + 512, 512), disk.contents.slice(1536, 2048));
    const bytes = new Uint8Array(5000 * 4).map((_, at) => at % 251).slice(0, 16_384 + 512);
    driver.memory.write(DATA + 1024, bytes);
    assert.equal(driver.transfer(NVM.write, 9, 33, DATA + 1024), STATUS.success);
    assert.deepEqual(disk.contents.slice(9 * 512, 42 * 512), bytes);
    const most = MAX_TRANSFER_BYTES / 512;
    assert.equal(driver.transfer(NVM.read, 0, most, DATA), STATUS.success);
    assert.deepEqual(
      driver.bytes(DATA, MAX_TRANSFER_BYTES),
      disk.contents.slice(0, MAX_TRANSFER_BYTES),
    );
    assert.equal(driver.transfer(NVM.read, 0, most + 1, DATA), STATUS.invalidField);
  });

  test('follows lists of pages from one page to the next', () => {
    const { disk, driver } = setup();
    // The list begins three entries before the end of a page, so that it goes on in another.
    const start = LIST + PAGE_BYTES - 24;
    const pages = [0, 1, 2, 3, 4, 5].map((index) => DATA + 0x2_0000 - index * 0x2000);
    driver.memory.write32(start, pages[1] as number);
    driver.memory.write32(start + 8, pages[2] as number);
    driver.memory.write32(start + 16, LIST + 0x4000);
    for (let index = 3; index < 6; index++) {
      driver.memory.write32(LIST + 0x4000 + (index - 3) * 8, pages[index] as number);
    }
    const command = { opcode: NVM.read, namespace: 1, prp1: pages[0] as number, prp2: start };
    assert.equal(driver.io({ ...command, dw12: 6 * 8 - 1 }), STATUS.success);
    for (const [index, page] of pages.entries()) {
      const from = index * PAGE_BYTES;
      assert.deepEqual(
        driver.bytes(page, PAGE_BYTES),
        disk.contents.slice(from, from + PAGE_BYTES),
      );
    }
  });

  test('pointers that lead nowhere are refused', () => {
    const { driver } = setup();
    const read = (sectors: number, prp1: number, prp2: number) =>
      driver.io({ opcode: NVM.read, namespace: 1, prp1, prp2, dw12: sectors - 1 });
    assert.equal(read(1, 0x7000_0000, 0), STATUS.dataTransferError);
    assert.equal(read(1, DATA + 2, 0), STATUS.invalidPrpOffset);
    assert.equal(read(16, DATA, DATA + 512), STATUS.invalidPrpOffset);
    assert.equal(read(16, DATA, 0x7000_0000), STATUS.dataTransferError);
    assert.equal(read(24, DATA, 0x7000_0000), STATUS.dataTransferError);
    assert.equal(read(24, DATA, LIST + 4), STATUS.invalidPrpOffset);
    assert.equal(read(24, DATA, LIST + PAGE_BYTES - 8), STATUS.invalidPrpOffset);
  });

  test('requests beyond the disk, of other namespaces or unknown kinds fail', () => {
    const { disk, driver } = setup();
    const before = disk.contents.slice();
    assert.equal(driver.transfer(NVM.write, SECTORS - 1, 2, DATA), STATUS.lbaOutOfRange);
    assert.equal(driver.transfer(NVM.write, 2 ** 40, 1, DATA), STATUS.lbaOutOfRange);
    assert.equal(
      driver.io({ opcode: NVM.write, namespace: 2, prp1: DATA }),
      STATUS.invalidNamespace,
    );
    assert.equal(driver.io({ opcode: 0x55, namespace: 1 }), STATUS.invalidOpcode);
    assert.equal(driver.io({ opcode: NVM.read, namespace: 1, flags: 0x40 }), STATUS.invalidField);
    assert.deepEqual(disk.contents, before);
  });

  test('flushes, also when it is switched off, and with every write once its cache is off', () => {
    const { disk, driver } = setup();
    assert.equal(driver.io({ opcode: NVM.flush, namespace: 1 }), STATUS.success);
    assert.equal(driver.io({ opcode: NVM.flush, namespace: 0xffff_ffff }), STATUS.success);
    assert.equal(disk.flushes, 2);
    driver.transfer(NVM.write, 0, 1, DATA);
    assert.equal(disk.flushes, 2);
    driver.io({ opcode: NVM.write, namespace: 1, prp1: DATA, dw12: 2 ** 30 });
    assert.equal(disk.flushes, 3, 'force unit access');
    driver.admin({ opcode: ADMIN.setFeatures, dw10: 6, dw11: 0 });
    driver.transfer(NVM.write, 0, 1, DATA);
    assert.equal(disk.flushes, 4);
    driver.write(REGISTER.configuration, driver.read(REGISTER.configuration) | 0x4000);
    assert.equal(disk.flushes, 5);
    assert.equal(driver.read(REGISTER.status), 0x9);
  });

  test('zeroes, discards and compares', () => {
    const { disk, driver } = setup();
    const zero = { opcode: NVM.writeZeroes, namespace: 1, dw10: 4, dw12: 3 };
    assert.equal(driver.io(zero), STATUS.success);
    assert.ok(disk.contents.subarray(2048, 4096).every((byte) => byte === 0));
    const ranges = new DataView(new ArrayBuffer(32));
    for (const [at, sector, count] of [
      [0, 16, 2],
      [16, 32, 1],
    ] as const) {
      ranges.setUint32(at + 4, count, true);
      ranges.setUint32(at + 8, sector, true);
    }
    driver.memory.write(DATA, new Uint8Array(ranges.buffer));
    const manage = { opcode: NVM.datasetManagement, namespace: 1, prp1: DATA, dw10: 1, dw11: 4 };
    assert.equal(driver.io(manage), STATUS.success);
    assert.ok(disk.contents.subarray(16 * 512, 18 * 512).every((byte) => byte === 0xdd));
    driver.memory.write32(DATA + 8, SECTORS);
    driver.memory.write32(DATA + 24, 40);
    assert.equal(driver.io(manage), STATUS.lbaOutOfRange);
    assert.notEqual(disk.contents[40 * 512], 0xdd);
    driver.memory.write(DATA, disk.contents.slice(0, 1024));
    assert.equal(driver.transfer(NVM.compare, 0, 2, DATA), STATUS.success);
    assert.equal(driver.transfer(NVM.compare, 1, 2, DATA), STATUS.compareFailure);
  });

  test('a read-only disk says so and refuses what would change it', () => {
    const { disk, driver } = setup(true);
    const before = disk.contents.slice();
    driver.admin({ opcode: ADMIN.identify, namespace: 1, prp1: DATA });
    assert.equal(driver.bytes(DATA + 99, 1)[0], 1);
    assert.equal(driver.transfer(NVM.write, 0, 1, DATA), STATUS.readOnlyRange);
    assert.equal(driver.io({ opcode: NVM.writeZeroes, namespace: 1 }), STATUS.readOnlyRange);
    assert.deepEqual(disk.contents, before);
  });

  test('failures of the image are statuses', () => {
    const { disk, driver } = setup();
    disk.failure = 'disk-io';
    assert.equal(driver.transfer(NVM.read, 0, 1, DATA), STATUS.readError);
    assert.equal(driver.transfer(NVM.write, 0, 1, DATA), STATUS.writeFault);
    disk.failure = 'disk-full';
    assert.equal(driver.transfer(NVM.write, 0, 1, DATA), STATUS.capacityExceeded);
    driver.write(REGISTER.configuration, driver.read(REGISTER.configuration) | 0x4000);
    assert.equal(driver.read(REGISTER.status) & 2, 2, 'shut down, but not durable');
  });

  test('queues are made and taken away by the rules', () => {
    const { driver } = setup();
    const { createCq, createSq, deleteCq, deleteSq } = ADMIN;
    const make = (opcode: number, id: number, entries: number, dw11: number, prp1 = 0x3_0000) =>
      driver.admin({ opcode, prp1, dw10: id | ((entries - 1) << 16), dw11 });
    assert.equal(make(createCq, 1, 16, 3), STATUS.invalidQueueId, 'there is one');
    assert.equal(make(createCq, 0, 16, 3), STATUS.invalidQueueId);
    assert.equal(make(createCq, 9, 16, 3), STATUS.invalidQueueId);
    assert.equal(make(createCq, 2, 1, 3), STATUS.invalidQueueSize);
    assert.equal(make(createCq, 2, 16, 3 | (9 << 16)), STATUS.invalidVector);
    assert.equal(make(createCq, 2, 16, 3, 0x7000_0000), STATUS.invalidPrpOffset);
    assert.equal(make(createCq, 2, 16, 3, 0x3_0100), STATUS.invalidPrpOffset);
    assert.equal(make(createSq, 2, 16, 1 | (2 << 16)), STATUS.completionQueueInvalid);
    assert.equal(driver.admin({ opcode: deleteCq, dw10: 1 }), STATUS.invalidQueueDeletion);
    assert.equal(driver.admin({ opcode: deleteSq, dw10: 1 }), STATUS.success);
    assert.equal(driver.admin({ opcode: deleteCq, dw10: 1 }), STATUS.success);
    assert.equal(driver.admin({ opcode: deleteSq, dw10: 1 }), STATUS.invalidQueueId);
    assert.equal(driver.admin({ opcode: deleteCq, dw10: 0 }), STATUS.invalidQueueId);
  });

  test('features and logs are there, and requests for events stay open', () => {
    const { driver } = setup();
    driver.admin({ opcode: ADMIN.setFeatures, dw10: 7, dw11: 0x7_0007 });
    assert.equal(driver.result, 0x1_0001, 'two pairs of queues');
    driver.admin({ opcode: ADMIN.setFeatures, dw10: 11, dw11: 0x123 });
    driver.admin({ opcode: ADMIN.getFeatures, dw10: 11 });
    assert.equal(driver.result, 0x123);
    assert.equal(driver.admin({ opcode: ADMIN.getFeatures, dw10: 0x99 }), STATUS.invalidField);
    const log = { opcode: ADMIN.getLogPage, prp1: DATA, dw10: 2 | (127 << 16) };
    driver.transfer(NVM.read, 0, 1, DATA);
    assert.equal(driver.admin(log), STATUS.success);
    assert.equal(driver.bytes(DATA + 64, 1)[0], 1, 'one read');
    assert.equal(driver.admin({ ...log, dw10: 0x70 }), STATUS.invalidLogPage);
    for (let count = 0; count < 4; count++) {
      assert.equal(driver.admin({ opcode: ADMIN.asyncEvent }), undefined);
    }
    assert.equal(driver.admin({ opcode: ADMIN.asyncEvent }), STATUS.asyncEventLimit);
  });

  test('completions interrupt by message or by pin, and wait for room in their queue', () => {
    const { driver } = setup();
    assert.equal(driver.line.level, true, 'the completions of the set-up wait');
    driver.takeCompletions(0);
    driver.takeCompletions(1);
    assert.equal(driver.line.level, false);
    driver.transfer(NVM.read, 0, 1, DATA, { take: false });
    assert.equal(driver.line.level, true);
    driver.write(REGISTER.maskSet, 0xffff_ffff);
    assert.equal(driver.line.level, false);
    driver.write(REGISTER.maskClear, 0xffff_ffff);
    assert.equal(driver.line.level, true);
    driver.takeCompletions(1);
    assert.equal(driver.line.level, false);
    driver.enableMsix();
    driver.transfer(NVM.read, 0, 1, DATA);
    assert.deepEqual(driver.messages, [{ address: 0xfee0_0000, data: 0x41 }]);
    assert.equal(driver.line.level, false);
    // 20 commands at once; the completion queue of 16 has room for 15 at a time.
    for (let count = 0; count < 20; count++) {
      driver.submit(1, { opcode: NVM.read, namespace: 1, prp1: DATA });
    }
    driver.ring(1);
    assert.equal(driver.takeCompletions(1).length, 15);
    assert.equal(driver.takeCompletions(1).length, 5);
  });

  test('a saved controller goes on where it was, in another machine', () => {
    const { driver } = setup();
    driver.enableMsix();
    driver.transfer(NVM.read, 0, 1, DATA);
    const saved = structuredClone(driver.controller.persist.save());
    const other = new NvmeDriver(new MemoryDisk(SECTORS * 512));
    other.adopt(driver);
    other.controller.persist.restore(saved);
    assert.deepEqual(other.controller.persist.save(), saved);
    assert.equal(other.transfer(NVM.read, 5, 1, DATA), STATUS.success);
    const small = new NvmeDriver(new MemoryDisk(4096), { ioQueues: 1, ramBytes: 2 ** 16 });
    assert.throws(() => small.controller.persist.restore(saved), { code: 'snapshot-invalid' });
  });
});
