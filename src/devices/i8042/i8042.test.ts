import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProbeLine } from '../test-kit.fixture.ts';
import { I8042 } from './i8042.ts';

function setup() {
  const keyboardLine = new ProbeLine();
  const auxLine = new ProbeLine();
  let resets = 0;
  const device = new I8042({ keyboardLine, auxLine, onReset: () => resets++ });
  const status = () => device.command.read(0, 1);
  const command = (value: number) => device.command.write(0, 1, value);
  const data = (value: number) => device.data.write(0, 1, value);
  /** Everything that waits, AUX bytes marked. */
  const drain = () => {
    const bytes: string[] = [];
    while (status() & 0x01) {
      const aux = status() & 0x20;
      bytes.push((aux ? 'aux ' : '') + device.data.read(0, 1).toString(16));
    }
    return bytes;
  };
  return { device, keyboardLine, auxLine, status, command, data, drain, resets: () => resets };
}

test('i8042: the probe of Linux finds controller, keyboard and AUX port', () => {
  const { keyboardLine, auxLine, command, data, drain } = setup();
  command(0x20);
  assert.deepEqual(drain(), ['65']);
  command(0xaa);
  assert.deepEqual(drain(), ['55']);
  command(0x60);
  data(0x74 & ~0x01);
  for (const value of [0x5a, 0xf0, 0x56, 0xa4]) {
    command(0xd3);
    data(value);
    assert.deepEqual(drain(), [`aux ${value.toString(16)}`], 'looped back: no multiplexer');
  }
  command(0xa9);
  assert.deepEqual(drain(), ['0']);
  assert.equal(keyboardLine.edges + auxLine.edges > 0, true);
});

test('i8042: interrupts follow the command byte, one edge a byte', () => {
  const { device, keyboardLine, auxLine, command, data, drain } = setup();
  command(0x60);
  data(0x47);
  keyboardLine.edges = 0;
  data(0xf2); // identify
  assert.equal(keyboardLine.level, true);
  assert.deepEqual(drain(), ['fa', 'ab', '41'], 'translated, as everything is');
  assert.equal(keyboardLine.edges, 3);
  command(0xd4);
  data(0xf2);
  assert.equal(auxLine.level, true);
  assert.deepEqual(drain(), ['aux fa', 'aux 0']);
  command(0x60);
  data(0x44);
  device.keyboard.type(0x1c);
  assert.equal(keyboardLine.level, false);
});

test('i8042: keys are translated to set 1 when the command byte says so', () => {
  const { device, command, data, drain } = setup();
  device.keyboard.type(0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75);
  assert.deepEqual(drain(), ['1e', '9e', 'e0', '48', 'e0', 'c8']);
  command(0x60);
  data(0x05);
  device.keyboard.type(0x1c, 0xf0, 0x1c);
  assert.deepEqual(drain(), ['1c', 'f0', '1c']);
});

test('i8042: a disabled keyboard keeps its bytes until it is enabled', () => {
  const { device, command, drain } = setup();
  command(0xad);
  device.keyboard.type(0x1c);
  assert.deepEqual(drain(), []);
  command(0xae);
  assert.deepEqual(drain(), ['1e']);
});

test('i8042: keyboard commands with parameters', () => {
  const { device, data, drain } = setup();
  data(0xed);
  data(0x07);
  assert.deepEqual(drain(), ['fa', 'fa']);
  assert.equal(device.keyboard.leds, 7);
  data(0xf0);
  data(0x00);
  assert.deepEqual(drain(), ['fa', 'fa', '41'], 'set 2, translated');
  data(0xff);
  assert.deepEqual(drain(), ['fa', 'aa']);
  data(0xee);
  assert.deepEqual(drain(), ['ee']);
});

test('i8042: the mouse turns into a wheel mouse by the three sample rates', () => {
  const { device, command, data, drain } = setup();
  const mouse = (...bytes: number[]) => {
    for (const byte of bytes) {
      command(0xd4);
      data(byte);
    }
    return drain();
  };
  command(0xa8);
  assert.deepEqual(mouse(0xff), ['aux fa', 'aux aa', 'aux 0']);
  mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
  assert.deepEqual(mouse(0xf2), ['aux fa', 'aux 3']);
  mouse(0xf4);
  device.mouse.move(-3, 5, -1, 1);
  assert.deepEqual(drain(), ['aux 19', 'aux fd', 'aux 5', 'aux ff']);
});

test('i8042: the reset line is pulsed by 0xfe and by the output port, not by 0xff', () => {
  const { command, data, resets } = setup();
  command(0xff);
  assert.equal(resets(), 0);
  command(0xfe);
  assert.equal(resets(), 1);
  command(0xd1);
  data(0x02);
  assert.equal(resets(), 2);
});
