import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../test-kit.fixture.ts';
import { codePage437, screenText, Vga } from './mod.ts';

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
  const vga = new Vga({ clock: new HandClock() });
  assert.equal(vga.text, undefined);
  textMode(vga);
  assert.deepEqual(vga.text, { columns: 80, rows: 25, start: 0, pitch: 80, cursor: 0 });
  vga.registers.write(0xe, 2, 0x0106); // graphics
  assert.equal(vga.text, undefined);
});

test('VGA: the start address scrolls the screen', () => {
  const vga = new Vga({ clock: new HandClock() });
  textMode(vga);
  vga.crtc.write(0, 2, (80 << 8) | 0x0d);
  const memory = new Uint8Array(0x8000);
  [...'hello'].forEach((letter, index) => {
    memory[2 * (80 + index)] = letter.charCodeAt(0);
  });
  memory[2 * (160 + 3)] = 0xb3;
  assert.deepEqual(screenText(memory, vga.text!).slice(0, 3), ['hello', '   │', '']);
});

test('VGA: while they are protected, the first CRTC registers keep their values', () => {
  const vga = new Vga({ clock: new HandClock() });
  textMode(vga);
  vga.crtc.write(0, 2, 0x8011);
  vga.crtc.write(0, 2, 0x2701);
  assert.equal(vga.text?.columns, 80);
  vga.crtc.write(0, 2, 0x2813);
  assert.equal(vga.text?.pitch, 80);
});

test('VGA: the attribute port takes index and data in turn, index first after status is read', () => {
  const vga = new Vga({ clock: new HandClock() });
  vga.registers.write(0, 1, 0x10);
  vga.status.read(0, 1);
  vga.registers.write(0, 1, 0x11);
  vga.registers.write(0, 1, 0x2a);
  vga.registers.write(0, 1, 0x11);
  assert.equal(vga.registers.read(1, 1), 0x2a);
});

test('VGA: retrace comes and goes with time', () => {
  const clock = new HandClock();
  const vga = new Vga({ clock });
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
