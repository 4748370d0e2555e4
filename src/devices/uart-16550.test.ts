import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock, ProbeLine } from './test-kit.fixture.ts';
import { Uart16550 } from './uart-16550.ts';

function setup() {
  const clock = new HandClock();
  const line = new ProbeLine();
  const sent: string[] = [];
  let rooms = 0;
  const uart = new Uart16550({
    clock,
    line,
    output: (bytes) => sent.push(String.fromCharCode(...bytes)),
    onInputRoom: () => rooms++,
  });
  const read = (offset: number) => uart.registers.read(offset, 1);
  const write = (offset: number, value: number) => uart.registers.write(offset, 1, value);
  const text = (string: string) => Uint8Array.from(string, (c) => c.charCodeAt(0));
  return { clock, line, sent, uart, read, write, text, rooms: () => rooms };
}

test('UART: bytes sent within a millisecond leave as one chunk', () => {
  const { clock, sent, write, read } = setup();
  for (const c of [0x68, 0x69]) {
    assert.equal(read(5) & 0x20, 0x20);
    write(0, c);
  }
  assert.deepEqual(sent, []);
  clock.advance(1_000_000);
  assert.deepEqual(sent, ['hi']);
});

test('UART: Linux finds a 16550A: scratch, IER mask, loopback modem lines and FIFO bits', () => {
  const { read, write } = setup();
  write(1, 0xff);
  assert.equal(read(1), 0x0f);
  write(1, 0);
  write(4, 0x1a); // LOOP | OUT2 | RTS
  assert.equal(read(6) & 0xf0, 0x90);
  write(4, 0);
  write(2, 0x01);
  assert.equal(read(2) & 0xe0, 0xc0);
  write(2, 0);
  assert.equal(read(2) & 0xc0, 0);
  write(7, 0x5a);
  assert.equal(read(7), 0x5a);
});

test('UART: the THR-empty interrupt follows enabling and every write, and IIR acknowledges it', () => {
  const { line, read, write } = setup();
  write(1, 0x02);
  assert.equal(line.level, true);
  assert.equal(read(2), 0x02);
  assert.equal(line.level, false);
  assert.equal(read(2), 0x01);
  write(0, 0x41);
  assert.equal(line.level, true);
  write(0, 0x42); // the line falls and rises, so that an edge-triggered input sees the second byte
  assert.equal(line.edges, 3);
});

test('UART: input below the trigger level interrupts as a character timeout, then as received data', () => {
  const { line, uart, read, write, text, rooms } = setup();
  write(2, 0x41); // FIFOs on, trigger at 4
  write(1, 0x01);
  assert.equal(uart.receive(text('abc')), 3);
  assert.equal(read(2), 0xcc);
  assert.equal(uart.receive(text('d')), 1);
  assert.equal(read(2), 0xc4);
  assert.deepEqual([0, 1, 2, 3].map(() => String.fromCharCode(read(0))).join(''), 'abcd');
  assert.equal(line.level, false);
  assert.equal(rooms(), 1);
});

test('UART: it accepts 16 bytes with FIFOs and one without', () => {
  const { uart, read, write, text } = setup();
  assert.equal(uart.receive(text('xyz')), 1);
  assert.equal(String.fromCharCode(read(0)), 'x');
  write(2, 0x01);
  assert.equal(uart.receive(text('0123456789abcdefgh')), 16);
  assert.equal(read(5) & 0x01, 1);
  write(2, 0x03); // clears the receive FIFO
  assert.equal(read(5) & 0x01, 0);
});

test('UART: loopback returns what is sent, keeps it from the wire and reports overrun', () => {
  const { clock, sent, read, write } = setup();
  write(4, 0x10);
  write(0, 0x55);
  write(0, 0x66);
  clock.advance(1e9);
  assert.deepEqual(sent, []);
  assert.equal(read(5) & 0x03, 0x03);
  assert.equal(read(5) & 0x02, 0);
  assert.equal(read(0), 0x55);
});

test('UART: the divisor hides behind DLAB', () => {
  const { read, write } = setup();
  write(3, 0x83);
  write(0, 0x0c);
  write(1, 0x01);
  assert.equal(read(0), 0x0c);
  write(3, 0x03);
  assert.equal(read(1), 0);
  assert.equal(read(3), 0x03);
});
