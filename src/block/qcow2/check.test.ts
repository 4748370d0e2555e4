import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryFile } from '../memory-file.ts';
import { checkQcow2 } from './check.ts';
import { ClusterCounts } from './cluster-counts.ts';
import { createQcow2 } from './create.ts';

const corrupt = (what: RegExp) => ({ code: 'disk-corrupt', message: what });

test('a snapshot whose table is larger than any can be is refused, not read', () => {
  const file = new MemoryFile('front');
  createQcow2(file, { bytes: 2 ** 20, clusterBits: 16 });
  const place = Math.ceil(file.size() / 65_536) * 65_536;
  const entry = new DataView(new ArrayBuffer(48));
  entry.setBigUint64(0, 65_536n);
  entry.setUint32(8, 0xffff_ffff);
  file.write(place, new Uint8Array(entry.buffer));
  const list = new DataView(new ArrayBuffer(12));
  list.setUint32(0, 1);
  list.setBigUint64(4, BigInt(place));
  file.write(60, new Uint8Array(list.buffer));
  const stored = { perBlock: 32_768, get: () => 1 };
  assert.throws(() => checkQcow2(file, stored), corrupt(/list of snapshots cannot be read/));
});

test('clusters are counted wherever they lie, in bounded memory', () => {
  const counts = new ClusterCounts('front');
  for (const cluster of [0, 1023, 1024, 1024, 2 ** 40]) counts.add(cluster);
  assert.deepEqual(
    [0, 1, 1023, 1024, 2 ** 40].map((cluster) => counts.get(cluster)),
    [1, 0, 1, 2, 1],
  );
  assert.deepEqual([...counts.used()], [0, 1023, 1024, 2 ** 40]);
  assert.throws(
    () => {
      for (let page = 0; page < 2 ** 18; page++) counts.add(page * 1024);
    },
    {
      code: 'disk-size',
      message:
        'the disk image front uses more clusters than Vivarium counts; check it with: qemu-img check',
    },
  );
});
