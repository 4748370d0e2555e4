import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../test-kit.fixture.ts';
import { codePage437, plainVideoMemory, Vga } from './mod.ts';

const MEMORY_BYTES = 4 * 2 ** 20;
const makeVga = (clock = new HandClock()) => {
  const memory = plainVideoMemory(MEMORY_BYTES);
  return { vga: new Vga({ clock, memory }), memory: memory.bytes };
};

/** Sets the CRTC as firmware does for 80 × 25 characters. */
function textMode(vga: Vga): void {
  const registers: [number, number][] = [
    [0x11, 0x00],
    [0x01, 79],
    [0x07, 0x1f],
    [0x09, 0x4f],
    [0x0a, 0x0d],
    [0x12, 0x8f],
    [0x13, 40],
  ];
  for (const [index, value] of registers) {
    vga.crtc.write(0, 1, index);
    vga.crtc.write(1, 1, value);
  }
}

test('VGA: the geometry of a text mode follows from the CRTC', () => {
  const { vga } = makeVga();
  assert.equal(vga.text, undefined);
  textMode(vga);
  assert.deepEqual(vga.text, {
    ...{ columns: 80, rows: 25, start: 0, pitch: 80, cursor: 0 },
    ...{ cellWidth: 9, cellHeight: 16 },
  });
  vga.registers.write(0xe, 2, 0x0106); // graphics
  assert.equal(vga.text, undefined);
});

/** Opens the window at B8000 for characters and attributes, as in text modes. */
function openTextWindow(vga: Vga): void {
  vga.registers.write(4, 2, 0x0302); // map mask
  vga.registers.write(4, 2, 0x0204); // memory mode: odd/even
  vga.registers.write(0xe, 2, 0x1005); // mode: odd/even
  vga.registers.write(0xe, 2, 0x0e06); // map B8000
}

const TEXT_WINDOW = 0x1_8000;

test('VGA: the start address scrolls the screen', () => {
  const { vga } = makeVga();
  textMode(vga);
  openTextWindow(vga);
  vga.crtc.write(0, 2, (80 << 8) | 0x0d);
  [...'hello'].forEach((letter, index) => {
    vga.window.write(TEXT_WINDOW + 2 * (80 + index), 2, 0x0700 | letter.charCodeAt(0));
  });
  vga.window.write(TEXT_WINDOW + 2 * (160 + 3), 1, 0xb3);
  assert.deepEqual(vga.lines()?.slice(0, 3), ['hello', '   │', '']);
  assert.equal(vga.window.read(TEXT_WINDOW + 2 * 81, 2), 0x0765);
  assert.equal(vga.window.read(0, 1), 0xff, 'outside of the map nothing answers');
});

test('VGA: while they are protected, the first CRTC registers keep their values', () => {
  const { vga } = makeVga();
  textMode(vga);
  vga.crtc.write(0, 2, 0x8011);
  vga.crtc.write(0, 2, 0x2701);
  assert.equal(vga.text?.columns, 80);
  vga.crtc.write(0, 2, 0x2813);
  assert.equal(vga.text?.pitch, 80);
});

test('VGA: the attribute port takes index and data in turn, index first after status is read', () => {
  const { vga } = makeVga();
  vga.registers.write(0, 1, 0x10);
  vga.status.read(0, 1);
  vga.registers.write(0, 1, 0x11);
  vga.registers.write(0, 1, 0x2a);
  vga.registers.write(0, 1, 0x11);
  assert.equal(vga.registers.read(1, 1), 0x2a);
});

test('VGA: retrace comes and goes with time', () => {
  const clock = new HandClock();
  const { vga } = makeVga(clock);
  const seen = new Set<number>();
  for (let step = 0; step < 200; step++) {
    seen.add(vga.status.read(0, 1) & 0x08);
    clock.advance(200_000);
  }
  assert.deepEqual([...seen].sort(), [0, 8]);
});

test('VGA: every byte of code page 437 is one character', () => {
  const all = Array.from({ length: 256 }, (_, byte) => codePage437(byte));
  assert.ok(all.every((character) => [...character].length === 1));
  assert.equal(codePage437(0x01) + codePage437(0xc4) + codePage437(0xfe), '☺─■');
});

/** A font in plane 2, in which character 1 is a full block and 2 has one dot in its corner. */
function loadFont(vga: Vga): void {
  vga.registers.write(4, 2, 0x0402); // plane 2
  vga.registers.write(4, 2, 0x0604); // no odd/even
  vga.registers.write(0xe, 2, 0x0005);
  vga.registers.write(0xe, 2, 0x0406); // A0000
  vga.registers.write(0xe, 2, 0xff08);
  for (let line = 0; line < 16; line++) vga.window.write(32 + line, 1, 0xff);
  vga.window.write(64, 1, 0x80);
}

function setColour(vga: Vga, index: number, [red, green, blue]: readonly number[]): void {
  vga.status.read(0, 1);
  vga.registers.write(0, 1, index);
  vga.registers.write(0, 1, index);
  vga.registers.write(8, 1, index);
  for (const part of [red, green, blue]) vga.registers.write(9, 1, part ?? 0);
}

test('VGA: text is painted in the font and the colours that the guest has loaded', () => {
  const { vga } = makeVga();
  textMode(vga);
  vga.registers.write(4, 2, 0x0101); // eight dots
  loadFont(vga);
  openTextWindow(vga);
  setColour(vga, 1, [0x3f, 0, 0]);
  setColour(vga, 2, [0, 0x20, 0x3f]);
  vga.crtc.write(0, 2, 0x200a); // no cursor
  vga.window.write(TEXT_WINDOW, 2, 0x2101);
  vga.window.write(TEXT_WINDOW + 2, 2, 0x2102);
  const picture = vga.picture()!;
  assert.deepEqual([picture.width, picture.height], [640, 400]);
  const at = (x: number, y: number) => [...picture.rgba.subarray(4 * (y * 640 + x)).subarray(0, 4)];
  assert.deepEqual(at(7, 15), [255, 0, 0, 255]);
  assert.deepEqual(at(8, 0), [255, 0, 0, 255]);
  assert.deepEqual(at(9, 0), [0, 130, 255, 255]);
  assert.deepEqual(at(8, 1), [0, 130, 255, 255]);
});

test('VGA: sixteen colours lie in four planes, written by each of the write modes', () => {
  const { vga, memory } = makeVga();
  const graphics = (index: number, value: number) =>
    vga.registers.write(0xe, 2, (value << 8) | index);
  vga.registers.write(4, 2, 0x0f02);
  vga.registers.write(4, 2, 0x0604);
  graphics(6, 0x05);
  graphics(8, 0xff);
  const planes = (address: number) => [...memory.subarray(4 * address, 4 * address + 4)];
  vga.window.write(0, 1, 0xa5);
  assert.deepEqual(planes(0), [0xa5, 0xa5, 0xa5, 0xa5]);
  // Mode 0 with set/reset of planes 0 and 1, the data rotated, and only half of the bits.
  graphics(0, 0x01);
  graphics(1, 0x03);
  graphics(3, 0x04);
  graphics(8, 0xf0);
  vga.window.read(0, 1);
  vga.window.write(0, 1, 0x01);
  assert.deepEqual(planes(0), [0xf5, 0x05, 0x15, 0x15]);
  // Mode 1 copies the latches.
  graphics(5, 0x01);
  vga.window.write(9, 1, 0);
  assert.deepEqual(planes(9), [0xa5, 0xa5, 0xa5, 0xa5]);
  // Mode 2 writes a colour, here with exclusive or.
  graphics(5, 0x02);
  graphics(3, 0x18);
  graphics(8, 0xff);
  vga.window.read(9, 1);
  vga.window.write(9, 1, 0x0a);
  assert.deepEqual(planes(9), [0xa5, 0x5a, 0xa5, 0x5a]);
  // Mode 3: the data are the mask of set/reset.
  graphics(5, 0x03);
  graphics(3, 0x00);
  graphics(0, 0x08);
  vga.window.read(9, 1);
  vga.window.write(9, 1, 0x0f);
  assert.deepEqual(planes(9), [0xa0, 0x50, 0xa0, 0x5f]);
  // Read mode 1 compares colours: only the last four pixels are colour 8.
  graphics(5, 0x08);
  graphics(2, 0x08);
  graphics(7, 0x0f);
  assert.equal(vga.window.read(9, 1), 0x0f & ~0xa0 & ~0x50 & 0x5f);
  graphics(5, 0x00);
  graphics(4, 3);
  assert.equal(vga.window.read(9, 1), 0x5f);
});

test('VGA: 640 × 480 in sixteen colours', () => {
  const { vga, memory } = makeVga();
  textMode(vga);
  vga.crtc.write(0, 2, 0x0011); // unprotect
  vga.crtc.write(0, 2, 0xdf12); // 480 lines
  vga.crtc.write(0, 2, 0x3e07);
  vga.crtc.write(0, 2, 0x4009);
  vga.crtc.write(0, 2, 0x2813);
  vga.registers.write(0xe, 2, 0x0506);
  vga.registers.write(0xe, 2, 0x0005);
  setColour(vga, 6, [0x15, 0x2a, 0x3f]);
  vga.status.read(0, 1);
  vga.registers.write(0, 1, 0x12);
  vga.registers.write(0, 1, 0x0f);
  const address = 3 * 80 + 79;
  memory[4 * address + 1] = 0x01;
  memory[4 * address + 2] = 0x01;
  const picture = vga.picture()!;
  assert.deepEqual([picture.width, picture.height], [640, 480]);
  const at = (x: number, y: number) => [...picture.rgba.subarray(4 * (y * 640 + x)).subarray(0, 3)];
  assert.deepEqual(at(639, 3), [0x55, 0xaa, 0xff]);
  assert.deepEqual(at(638, 3), [0, 0, 0]);
});

test('VGA: 320 × 200 in 256 colours is plain bytes', () => {
  const { vga } = makeVga();
  textMode(vga);
  vga.crtc.write(0, 2, 0x4109);
  vga.registers.write(4, 2, 0x0f02);
  vga.registers.write(4, 2, 0x0e04);
  vga.registers.write(0xe, 2, 0x4005);
  vga.registers.write(0xe, 2, 0x0506);
  setColour(vga, 0x13, [1, 2, 3]);
  vga.window.write(320 * 199 + 316, 4, 0x1300_1300);
  const picture = vga.picture()!;
  assert.deepEqual([picture.width, picture.height], [320, 200]);
  assert.deepEqual(
    [...picture.rgba.subarray(-16)],
    [0, 0, 0, 255, 4, 8, 12, 255, 0, 0, 0, 255, 4, 8, 12, 255],
  );
});

/** Sets a mode with a linear frame buffer. */
function setVbe(
  vga: Vga,
  ...values: readonly (readonly [register: number, value: number])[]
): void {
  for (const [register, value] of values) {
    vga.vbe.write(0, 2, register);
    vga.vbe.write(1, 2, value);
  }
}

test('VGA: a linear frame buffer of each depth shows its pixels', () => {
  const depths: [depth: number, bytes: number[], colour: number[]][] = [
    [8, [0x21], [0x41, 0x82, 0xff]],
    [15, [0x1f, 0x7c], [255, 0, 255]],
    [16, [0xe0, 0x07], [0, 255, 0]],
    [24, [1, 2, 3], [3, 2, 1]],
    [32, [4, 5, 6, 0xee], [6, 5, 4]],
  ];
  for (const [depth, bytes, colour] of depths) {
    const { vga, memory } = makeVga();
    memory.fill(0xff, 0, 64);
    setColour(vga, 0x21, [0x10, 0x20, 0x3f]);
    setVbe(vga, [1, 640], [2, 480], [3, depth], [4, 0x41]);
    assert.equal(memory[0], 0, 'the memory was cleared');
    memory.set(bytes, bytes.length * (640 + 7));
    const picture = vga.picture()!;
    assert.deepEqual([picture.width, picture.height], [640, 480]);
    assert.deepEqual([...picture.rgba.subarray(4 * (640 + 7)).subarray(0, 3)], colour, `${depth}`);
    assert.equal(vga.lines(), undefined);
  }
});

test('VGA: the linear frame buffer pans, has banks, and ends where its memory ends', () => {
  const { vga, memory } = makeVga();
  setVbe(vga, [1, 640], [2, 480], [3, 32], [4, 0xc1], [6, 1024], [8, 3], [9, 2]);
  memory[4 * (2 * 1024 + 3)] = 0x77;
  assert.equal(vga.picture()!.rgba[2], 0x77);
  setVbe(vga, [5, 2]);
  vga.window.write(0xfffc, 4, 0x1234_5678);
  assert.equal(memory[0x2_fffd], 0x56);
  vga.vbe.write(0, 2, 7);
  assert.equal(vga.vbe.read(1, 2), MEMORY_BYTES / 4096, 'lines that fit into memory');
  setVbe(vga, [9, 0xffff]);
  assert.equal(vga.picture(), undefined, 'a picture beyond the memory is none');
  vga.vbe.write(0, 2, 10);
  assert.equal(vga.vbe.read(1, 2), MEMORY_BYTES / 0x1_0000);
  setVbe(vga, [4, 2]);
  vga.vbe.write(0, 2, 3);
  assert.equal(vga.vbe.read(1, 2), 32, 'capabilities');
});

test('VGA: its registers are in memory as well', () => {
  const { vga } = makeVga();
  vga.memoryRegisters.write(0x400 + 0x14, 2, 0x550e);
  assert.equal(vga.memoryRegisters.read(0x400 + 0x15, 1), 0x55);
  vga.memoryRegisters.write(0x502, 2, 800);
  vga.vbe.write(0, 2, 1);
  assert.equal(vga.vbe.read(1, 2), 800);
  assert.equal(vga.memoryRegisters.read(0x500, 2), 0xb0c5);
  assert.equal(vga.memoryRegisters.read(0x600, 4), 0xffff_ffff);
});
