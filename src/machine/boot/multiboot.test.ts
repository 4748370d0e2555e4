import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB, makeElf, pattern, RecordingMemory } from './images.fixture.ts';
import { loadKernel } from './load-kernel.ts';

const MAGIC = 0x1badb002;

/** Code with a multiboot header at its start. */
function withHeader(flags: number, addresses: readonly number[] = []): Uint8Array {
  const code = pattern(4000);
  const header = new Uint32Array([MAGIC, flags, -(MAGIC + flags), ...addresses]);
  code.set(new Uint8Array(header.buffer));
  return code;
}

test('a multiboot ELF file is entered at its entry with the information in EBX', () => {
  const memory = new RecordingMemory(8 * MIB);
  const segments = [{ gpa: MIB, data: withHeader(3), memoryBytes: 8000 }];
  const image = makeElf({ bits: 32, entry: MIB + 12, segments });
  const state = loadKernel(image, memory.options({ cmdline: 'a b' }));
  assert.equal(state.protocol, 'multiboot');
  assert.equal(state.mode, 'protected32');
  assert.equal(state.entry, MIB + 12);
  assert.equal(state.registers.rax, 0x2badb002);
  const info = state.registers.rbx!;
  const flags = memory.u32(info);
  assert.equal(flags & 0b1000101, 0b1000101, 'memory, command line, memory map');
  assert.equal(flags & 8, 0, 'no modules');
  assert.equal(memory.u32(info + 4), 640);
  assert.equal(memory.u32(info + 8), 7 * 1024);
  assert.equal(memory.text(memory.u32(info + 16)), 'kernel a b');
});

test('the multiboot memory map has entries that tell their size', () => {
  const memory = new RecordingMemory(8 * MIB);
  const image = makeElf({ bits: 32, entry: MIB, segments: [{ gpa: MIB, data: withHeader(0) }] });
  const options = memory.options();
  const info = loadKernel(image, options).registers.rbx!;
  const [length, start] = [memory.u32(info + 44), memory.u32(info + 48)];
  const seen: number[][] = [];
  for (let at = start; at < start + length; at += memory.u32(at) + 4) {
    seen.push([memory.u64(at + 4), memory.u64(at + 12), memory.u32(at + 20)]);
  }
  assert.deepEqual(
    seen,
    options.memoryMap.map(({ gpa, bytes, type }) => [gpa, bytes, type]),
  );
});

test('the RAM disk becomes a multiboot module on the page behind the kernel', () => {
  const memory = new RecordingMemory(8 * MIB);
  const segments = [{ gpa: MIB, data: withHeader(1), memoryBytes: 10_000 }];
  const initrd = pattern(3000, 3);
  const options = memory.options({ initrd });
  const info = loadKernel(makeElf({ entry: MIB, segments }), options).registers.rbx!;
  assert.equal(memory.u32(info + 20), 1);
  const [start, end] = [memory.u32(memory.u32(info + 24)), memory.u32(memory.u32(info + 24) + 4)];
  assert.equal(start, MIB + 3 * 4096);
  assert.equal(end - start, 3000);
  assert.deepEqual(memory.slice(start, 3000), [...initrd]);
});

test('the address fields of the header load a file that is no ELF', () => {
  const memory = new RecordingMemory(8 * MIB);
  // The header lies 0x100 bytes behind the load address and at file offset 0x140.
  const body = withHeader(0x10000, [
    2 * MIB + 0x100,
    2 * MIB,
    2 * MIB + 0x800,
    3 * MIB,
    2 * MIB + 9,
  ]);
  const image = new Uint8Array(0x140 + body.length);
  image.set(pattern(0x140, 5));
  image.set(body, 0x140);
  const state = loadKernel(image, memory.options());
  assert.equal(state.protocol, 'multiboot');
  assert.equal(state.entry, 2 * MIB + 9);
  assert.deepEqual(memory.slice(2 * MIB, 0x800), [...image.subarray(0x40, 0x840)]);
  assert.equal(memory.bytes[2 * MIB + 0x800], 0, 'nothing behind the end that the header tells');
});

test('address fields that reach outside of the file are refused', () => {
  const memory = new RecordingMemory(8 * MIB);
  const image = withHeader(0x10000, [2 * MIB, 2 * MIB, 2 * MIB + 9000, 0, 2 * MIB]);
  assert.throws(() => loadKernel(image, memory.options()), { code: 'kernel-truncated' });
  const early = withHeader(0x10000, [2 * MIB + 64, 2 * MIB, 0, 0, 2 * MIB]);
  assert.throws(() => loadKernel(early, memory.options()), { code: 'kernel-damaged' });
});

test('a multiboot kernel that demands unknown features is refused', () => {
  const memory = new RecordingMemory(8 * MIB);
  const image = makeElf({ bits: 32, entry: MIB, segments: [{ gpa: MIB, data: withHeader(8) }] });
  assert.throws(() => loadKernel(image, memory.options()), { code: 'kernel-demands' });
});

test('a header whose checksum is wrong is none', () => {
  const data = withHeader(3);
  data[8] = data[8]! ^ 1;
  const image = makeElf({ bits: 32, entry: MIB, segments: [{ gpa: MIB, data }] });
  const options = new RecordingMemory(8 * MIB).options();
  assert.throws(() => loadKernel(image, options), { code: 'not-a-kernel' });
});
