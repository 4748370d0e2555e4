import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { MIB, makeBzImage, makeElf, pattern } from './images.fixture.ts';
import { unpackKernel } from './unpack-kernel.ts';

const elf = makeElf({ pvh: 2 * MIB, segments: [{ gpa: 2 * MIB, data: pattern(9000) }] });

test('the payload of a bzImage is unpacked to the ELF kernel', async () => {
  for (const pack of [gzipSync, zstdCompressSync]) {
    const image = makeBzImage({ payload: pack(elf) });
    assert.deepEqual(await unpackKernel(image), elf, pack.name);
  }
});

test('a bzImage whose kernel has no PVH entry stays as it is', async () => {
  const plain = makeElf({ segments: [{ gpa: 2 * MIB, data: pattern(100) }] });
  const image = makeBzImage({ payload: gzipSync(plain) });
  assert.equal(await unpackKernel(image), image);
});

test('a bzImage with an unknown or damaged payload stays as it is', async () => {
  const unknown = makeBzImage({ payload: pattern(500) });
  assert.equal(await unpackKernel(unknown), unknown);
  const damaged = makeBzImage({ payload: gzipSync(elf).subarray(0, 100) });
  assert.equal(await unpackKernel(damaged), damaged);
});

test('an ELF kernel packed as a whole is unpacked', async () => {
  assert.deepEqual(await unpackKernel(gzipSync(elf)), elf);
});

test('what is not packed is returned itself', async () => {
  assert.equal(await unpackKernel(elf), elf);
  const text = new TextEncoder().encode('hello');
  assert.equal(await unpackKernel(text), text);
});
