import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FramePool, GuestMemory } from './mod.ts';

test('frames of a large guest leave the lower 2 GiB to vCPU blocks and code', () => {
  const ram = 3 * 2 ** 30;
  const pool = new FramePool(GuestMemory.poolBytes(ram) + 2 ** 24);
  const memory = new GuestMemory(pool, [{ start: 0, bytes: ram }]);
  const engine = pool.reserve(2 ** 20);
  assert.ok(engine + 2 ** 20 < 2 ** 31);
  const top = memory.frameForWrite(ram / 4096 - 1);
  assert.ok(top >= 2 ** 31);
  memory.write(ram - 4, Uint8Array.of(1, 2, 3, 4));
  assert.equal(memory.read32(ram - 4), 0x04030201);
  assert.deepEqual(pool.bytes.slice(engine, engine + 4), new Uint8Array(4));
});
