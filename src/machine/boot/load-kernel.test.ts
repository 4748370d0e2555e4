import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { E820 } from './boot-state.ts';
import { MIB, makeBzImage, makeElf, pattern, RecordingMemory } from './images.fixture.ts';
import { loadKernel } from './load-kernel.ts';

const code = pattern(5000);
const pvhKernel = () =>
  makeElf({ pvh: 2 * MIB + 16, segments: [{ gpa: 2 * MIB, data: code, memoryBytes: MIB }] });

function refuses(image: Uint8Array, code: string, message: RegExp, memory = 32 * MIB, more = {}) {
  const guest = new RecordingMemory(memory);
  assert.throws(() => loadKernel(image, guest.options(more)), { code, message });
}

describe('PVH kernels', () => {
  test('an ELF kernel with the note is entered in 32-bit protected mode at the note', () => {
    const memory = new RecordingMemory(8 * MIB);
    const state = loadKernel(pvhKernel(), memory.options());
    assert.equal(state.protocol, 'pvh');
    assert.equal(state.mode, 'protected32');
    assert.equal(state.entry, 2 * MIB + 16);
    assert.equal(state.cr0, 0x11);
    assert.equal(state.efer, 0);
    assert.equal(state.rflags, 2);
    assert.equal(state.code.attributes, 0xc09b);
    assert.deepEqual(memory.slice(2 * MIB, code.length), [...code]);
  });

  test('the start info names command line, RAM disk, memory map and ACPI root', () => {
    const memory = new RecordingMemory(8 * MIB);
    const initrd = pattern(5000, 9);
    const options = memory.options({ initrd, cmdline: 'console=ttyS0 é', rsdpGpa: 0xe0000 });
    const info = loadKernel(pvhKernel(), options).registers.rbx!;
    assert.equal(memory.u32(info), 0x336ec578);
    assert.equal(memory.u32(info + 4), 1);
    assert.equal(memory.u32(info + 12), 1);
    assert.equal(memory.text(memory.u64(info + 24)), 'console=ttyS0 é');
    assert.equal(memory.u64(info + 32), 0xe0000);
    const module = memory.u64(info + 16);
    const initrdGpa = memory.u64(module);
    assert.equal(initrdGpa, 8 * MIB - 8192, 'as high as it fits, on a page');
    assert.equal(memory.u64(module + 8), 5000);
    assert.deepEqual(memory.slice(initrdGpa, 5000), [...initrd]);
    const map = memory.u64(info + 40);
    assert.equal(memory.u32(info + 48), 3);
    assert.deepEqual(
      [0, 1, 2].map((index) => [
        memory.u64(map + index * 24),
        memory.u64(map + index * 24 + 8),
        memory.u32(map + index * 24 + 16),
      ]),
      options.memoryMap.map(({ gpa, bytes, type }) => [gpa, bytes, type]),
    );
  });

  test('pages of a kernel that are zero are not written', () => {
    const memory = new RecordingMemory(8 * MIB);
    const data = new Uint8Array(MIB);
    data.set(code, 0);
    data[MIB - 1] = 1;
    loadKernel(makeElf({ pvh: 2 * MIB, segments: [{ gpa: 2 * MIB, data }] }), memory.options());
    assert.ok(memory.written < 5 * 4096, `${memory.written} bytes were written`);
    assert.equal(memory.bytes[3 * MIB - 1], 1);
  });

  test('a RAM disk of a machine with RAM above 4 GiB lies below 4 GiB', () => {
    const writes: number[] = [];
    loadKernel(pvhKernel(), {
      cmdline: '',
      initrd: pattern(4096),
      memoryBytes: 8 * 1024 * MIB,
      memoryMap: [
        { gpa: 0, bytes: 0x9fc00, type: E820.ram },
        { gpa: MIB, bytes: 3 * 1024 * MIB - MIB, type: E820.ram },
        { gpa: 2 ** 32, bytes: 5 * 1024 * MIB, type: E820.ram },
      ],
      write: (gpa) => writes.push(gpa),
    });
    assert.equal(Math.max(...writes), 3 * 1024 * MIB - 4096);
  });
});

describe('Linux by the 64-bit boot protocol', () => {
  test('a bzImage is entered at 0x200 in 64-bit mode with boot_params in RSI', () => {
    const memory = new RecordingMemory(32 * MIB);
    const image = makeBzImage({ payload: pattern(3000) });
    const initrd = pattern(100);
    const options = memory.options({ initrd, cmdline: 'quiet', rsdpGpa: 0xf0000 });
    const state = loadKernel(image, options);
    assert.equal(state.protocol, 'linux64');
    assert.equal(state.mode, 'long64');
    assert.equal(state.entry, 16 * MIB + 0x200);
    assert.equal(state.cr0, 0x8000_0011);
    assert.equal(state.cr4, 0x20);
    assert.equal(state.efer, 0x500);
    assert.equal(state.code.selector, 0x10);
    assert.equal(state.code.attributes, 0xa09b);
    assert.equal(state.data.selector, 0x18);
    const params = state.registers.rsi!;
    assert.equal(memory.text(params + 0x202).slice(0, 4), 'HdrS');
    assert.equal(memory.bytes[params + 0x210], 0xff);
    assert.equal(memory.text(memory.u32(params + 0x228)), 'quiet');
    assert.equal(memory.u32(params + 0x218), 32 * MIB - 4096);
    assert.equal(memory.u32(params + 0x21c), 100);
    assert.equal(memory.u64(params + 0x70), 0xf0000);
    assert.equal(memory.bytes[params + 0x1e8], 3);
    assert.equal(memory.u64(params + 0x2d0 + 20), 0x9fc00);
    const loaded = memory.slice(16 * MIB, image.length - 5 * 512);
    assert.deepEqual(loaded, [...image.subarray(5 * 512)]);
  });

  test('the page tables map the first 4 GiB one to one', () => {
    const memory = new RecordingMemory(32 * MIB);
    const state = loadKernel(makeBzImage({ payload: pattern(100) }), memory.options());
    const walk = (gva: number) => {
      const index = (bits: number) => Math.floor(gva / 2 ** bits) % 512;
      const pml4e = memory.u64(state.cr3 + index(39) * 8);
      const pdpte = memory.u64(pml4e - (pml4e % 4096) + index(30) * 8);
      const pde = memory.u64(pdpte - (pdpte % 4096) + index(21) * 8);
      for (const entry of [pml4e, pdpte, pde]) assert.equal(entry & 3, 3, 'present, writable');
      assert.equal(pde & 0x80, 0x80, 'a large page');
      return Math.floor(pde / 2 ** 21) * 2 ** 21 + (gva % 2 ** 21);
    };
    for (const gva of [0, 0x7123, 16 * MIB + 0x200, 2 ** 30 - 1, 2 ** 31 + 5, 2 ** 32 - 1]) {
      assert.equal(walk(gva), gva);
    }
  });

  test('the descriptors in guest memory say what the segment registers hold', () => {
    const memory = new RecordingMemory(32 * MIB);
    const { gdt } = loadKernel(makeBzImage({ payload: pattern(100) }), memory.options());
    assert.equal(gdt.limit, 6 * 8 - 1);
    assert.equal(memory.view.getBigUint64(gdt.base, true), 0n);
    assert.equal(memory.view.getBigUint64(gdt.base + 0x10, true), 0x00af9b000000ffffn);
    assert.equal(memory.view.getBigUint64(gdt.base + 0x18, true), 0x00cf93000000ffffn);
  });

  test('an uncompressed kernel without PVH note is entered at its ELF entry', () => {
    const memory = new RecordingMemory(32 * MIB);
    const segments = [{ gpa: 16 * MIB, gva: 0xffff_ffff_8100_0000n, data: code }];
    const state = loadKernel(makeElf({ entry: 16 * MIB + 64, segments }), memory.options());
    assert.equal(state.protocol, 'linux64');
    assert.equal(state.entry, 16 * MIB + 64);
    assert.equal(memory.text(state.registers.rsi! + 0x202).slice(0, 4), 'HdrS');
  });

  test('memory that holds the image but not what it unpacks to is refused', () => {
    const image = makeBzImage({ payload: pattern(100), initBytes: 40 * MIB });
    refuses(image, 'memory-too-small', /needs at least 56 MiB .* has 32 MiB$/);
  });

  test('a 32-bit kernel is entered in protected mode at its start, with the boot parameters in ESI', () => {
    const memory = new RecordingMemory(32 * MIB);
    const image = makeBzImage({ payload: pattern(100), xloadflags: 0 });
    const state = loadKernel(image, memory.options({ cmdline: 'quiet' }));
    assert.equal(state.protocol, 'linux32');
    assert.equal(state.mode, 'protected32');
    assert.equal(state.entry, 16 * MIB);
    assert.equal(state.cr0 & 0x8000_0001, 1, 'protected mode without paging');
    assert.equal(state.code.selector, 0x10);
    const page = state.registers.rsi!;
    assert.equal(memory.text(page + 0x202).slice(0, 4), 'HdrS');
    assert.equal(memory.text(memory.view.getUint32(page + 0x228, true)), 'quiet');
  });

  test('a kernel that does not say how much memory it needs is too old', () => {
    const image = makeBzImage({ payload: pattern(100), protocol: 0x0209 });
    refuses(image, 'kernel-too-old', /too old/);
  });
});

describe('kernels that cannot be loaded', () => {
  test('a text file is called a text file', () => {
    const text = new TextEncoder().encode('#!/bin/sh\necho hello\n');
    refuses(text, 'not-a-kernel', /^the kernel file is not a kernel: it is a text file$/);
  });

  test('an empty file is called empty', () => {
    refuses(new Uint8Array(0), 'not-a-kernel', /it is empty/);
  });

  test('binary rubbish is neither bzImage nor ELF', () => {
    refuses(pattern(1000), 'not-a-kernel', /neither a bzImage nor an ELF file/);
  });

  test('an ordinary ELF program is no kernel', () => {
    const program = makeElf({ entry: 0x401000, segments: [{ gpa: 0x400000, data: code }] });
    refuses(program, 'not-a-kernel', /neither a PVH note nor a multiboot header/);
  });

  test('an ELF file for another processor is refused', () => {
    refuses(makeElf({ machine: 183 }), 'kernel-foreign', /another processor/);
  });

  test('every truncation of an ELF kernel is refused, none reads beyond the file', () => {
    const image = pvhKernel();
    for (const length of [4, 15, 16, 63, 64, 100, 200, 300, image.length - 1]) {
      const cut = image.slice(0, length);
      assert.throws(
        () => loadKernel(cut, new RecordingMemory(8 * MIB).options()),
        { name: 'VivariumError', code: 'kernel-truncated' },
        `at ${length}`,
      );
    }
  });

  test('a truncated bzImage is refused', () => {
    const image = makeBzImage({ payload: pattern(3000) });
    refuses(image.slice(0, image.length - 16), 'kernel-truncated', /incomplete/);
    refuses(image.slice(0, 0x210), 'kernel-truncated', /incomplete/);
  });

  test('a kernel larger than memory is refused with the memory it needs', () => {
    refuses(pvhKernel(), 'memory-too-small', /needs at least 3 MiB .* has 2 MiB$/, 2 * MIB);
    refuses(pvhKernel(), 'memory-too-small', /has 1 MiB$/, MIB);
  });

  test('a RAM disk that does not fit beside the kernel is refused with what both need', () => {
    const initrd = new Uint8Array(2 * MIB);
    const message = /RAM disk \(2 MiB\) does not fit .* at least 5 MiB .* has 4 MiB$/;
    refuses(pvhKernel(), 'memory-too-small', message, 4 * MIB, { initrd });
  });

  test('a segment in the memory of the boot loader is refused', () => {
    const image = makeElf({ pvh: 0x8000, segments: [{ gpa: 0x8000, data: code }] });
    refuses(image, 'kernel-address', /below 1 MiB/);
  });

  test('a segment at an address beyond all memory is refused', () => {
    const segments = [
      { gpa: 2 * MIB, data: code },
      { gpa: 2 ** 51, data: code },
    ];
    refuses(makeElf({ pvh: 2 * MIB, segments }), 'memory-too-small', /but the machine has 32 MiB/);
  });

  test('an entry outside of the kernel is refused', () => {
    const image = makeElf({ pvh: 5, segments: [{ gpa: 2 * MIB, data: code }] });
    refuses(image, 'kernel-damaged', /entry lies outside/);
  });

  test('a command line longer than the kernel reads is refused', () => {
    refuses(pvhKernel(), 'cmdline-too-long', /3000 bytes.*at most 2047/, 32 * MIB, {
      cmdline: 'x'.repeat(3000),
    });
  });

  test('a command line with a NUL is refused', () => {
    refuses(pvhKernel(), 'cmdline-invalid', /NUL/, 32 * MIB, { cmdline: 'a\0b' });
  });
});
