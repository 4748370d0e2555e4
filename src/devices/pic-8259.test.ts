import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pic8259 } from './pic-8259.ts';
import { ProbeLine } from './test-kit.fixture.ts';

function setup() {
  const output = new ProbeLine();
  const pic = new Pic8259({ output });
  const command = (value: number, second = false) =>
    (second ? pic.secondary : pic.primary).write(0, 1, value);
  const data = (value: number, second = false) =>
    (second ? pic.secondary : pic.primary).write(1, 1, value);
  const initialise = (icw4 = 0x01) => {
    for (const second of [false, true]) {
      command(0x11, second);
      data(second ? 0x28 : 0x20, second);
      data(second ? 0x02 : 0x04, second);
      data(icw4, second);
      data(0x00, second);
    }
  };
  const status = (ocw3: number, second = false) => {
    command(ocw3, second);
    return (second ? pic.secondary : pic.primary).read(0, 1);
  };
  return { output, pic, command, data, initialise, status };
}

test('8259: an edge is acknowledged with its vector and blocks lower ones until EOI', () => {
  const { output, pic, command, initialise, status } = setup();
  initialise();
  pic.line(4).set(true);
  assert.equal(output.level, true);
  assert.equal(pic.acknowledge(), 0x24);
  assert.equal(output.level, false);
  assert.equal(status(0x0b), 0x10);
  pic.line(6).set(true);
  assert.equal(output.level, false);
  pic.line(1).set(true);
  assert.equal(pic.acknowledge(), 0x21);
  command(0x20);
  command(0x20);
  assert.equal(pic.acknowledge(), 0x26);
});

test('8259: the second controller interrupts through the cascade, one after the other', () => {
  const { output, pic, command, initialise } = setup();
  initialise();
  pic.line(12).set(true);
  pic.line(8).set(true);
  assert.equal(pic.acknowledge(), 0x28);
  command(0x20, true);
  command(0x20);
  assert.equal(output.level, true);
  assert.equal(pic.acknowledge(), 0x2c);
  command(0x20, true);
  command(0x20);
  assert.equal(output.level, false);
});

test('8259: masked requests wait; a request that is gone is spurious', () => {
  const { output, pic, data, initialise } = setup();
  initialise();
  data(0xff);
  pic.line(3).set(true);
  assert.equal(output.level, false);
  data(0x00);
  assert.equal(output.level, true);
  data(0xff);
  assert.equal(pic.acknowledge(), 0x27);
  assert.equal(pic.primary.read(1, 1), 0xff);
});

test('8259: ELCR makes an input follow its level, and keeps the fixed inputs edge-triggered', () => {
  const { output, pic, command, initialise } = setup();
  initialise();
  pic.elcr.write(0, 2, 0xffff);
  assert.equal(pic.elcr.read(0, 2), 0xdef8);
  pic.line(11).set(true);
  assert.equal(pic.acknowledge(), 0x2b);
  command(0x20, true);
  command(0x20);
  assert.equal(output.level, true, 'still asserted');
  pic.line(11).set(false);
  command(0x0a, true);
  assert.equal(pic.secondary.read(0, 1), 0);
});

test('8259: automatic EOI, rotation, specific EOI and polling', () => {
  const { pic, command, initialise, status } = setup();
  initialise(0x03);
  pic.line(5).set(true);
  assert.equal(pic.acknowledge(), 0x25);
  assert.equal(status(0x0b), 0);
  initialise();
  command(0xc3); // lowest priority is 3, so 4 is the highest
  pic.line(0).set(true);
  pic.line(4).set(true);
  assert.equal(pic.acknowledge(), 0x24);
  command(0x64); // specific EOI of 4
  assert.equal(status(0x0c), 0x80);
  assert.equal(status(0x0b), 0x01);
});

test('8259: special mask mode lets lower inputs through a masked one in service', () => {
  const { output, pic, command, data, initialise } = setup();
  initialise();
  pic.line(1).set(true);
  pic.acknowledge();
  pic.line(6).set(true);
  data(0x02);
  assert.equal(output.level, false);
  command(0x68);
  assert.equal(output.level, true);
  assert.equal(pic.acknowledge(), 0x26);
});
