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
  /** What a driver does last: receive interrupts on, and then the port is left alone. */
  const listen = (fcr: number) => {
    write(2, fcr);
    write(1, 0x01);
    clock.advance(2_000_000);
    rooms = 0;
  };
  return { clock, line, sent, uart, read, write, text, listen, rooms: () => rooms };
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
  const { line, uart, read, listen, text, rooms } = setup();
  listen(0x41); // FIFOs on, trigger at 4
  assert.equal(uart.receive(text('abc')), 3);
  assert.equal(read(2), 0xcc);
  assert.equal(uart.receive(text('d')), 1);
  assert.equal(read(2), 0xc4);
  assert.deepEqual([0, 1, 2, 3].map(() => String.fromCharCode(read(0))).join(''), 'abcd');
  assert.equal(line.level, false);
  assert.equal(rooms(), 1);
});

test('UART: it accepts 16 bytes with FIFOs and one without, and offers room for the rest', () => {
  const { clock, uart, read, write, listen, text, rooms } = setup();
  listen(0);
  assert.equal(uart.receive(text('xyz')), 1);
  assert.equal(uart.receive(text('yz')), 0);
  assert.equal(String.fromCharCode(read(0)), 'x');
  assert.equal(rooms(), 1);
  listen(0x01);
  assert.equal(uart.receive(text('0123456789abcdefgh')), 16);
  assert.equal(read(5) & 0x03, 1, 'data ready, no overrun');
  write(2, 0x03); // clears the receive FIFO
  assert.equal(read(5) & 0x01, 0);
  clock.advance(2_000_000);
  assert.equal(uart.receive(text('gh')), 2);
});

test('UART: nothing is taken before a driver has enabled the receive interrupt and settled', () => {
  const { clock, uart, read, write, text, rooms } = setup();
  assert.equal(uart.receive(text('uname')), 0);
  write(1, 0x01); // as Linux does it: interrupts first, then the FIFOs, which empties them
  write(2, 0x01);
  assert.equal(uart.receive(text('uname')), 0);
  write(2, 0x07);
  write(3, 0x03);
  clock.advance(999_999);
  assert.equal(uart.receive(text('uname')), 0);
  assert.equal(rooms(), 0);
  clock.advance(1);
  assert.equal(rooms(), 1, 'it asks for the input that was held back');
  assert.equal(uart.receive(text('uname')), 5);
  assert.equal(String.fromCharCode(read(0), read(0)), 'un');
  write(1, 0);
  assert.equal(uart.receive(text('x')), 0, 'the driver has closed the port');
});

test('UART: a guest that polls for input gets it, one that polls to send does not', () => {
  const { uart, read, write, text } = setup();
  for (let byte = 0; byte < 100; byte++) {
    read(5);
    read(5);
    write(0, 0x2e);
  }
  assert.equal(uart.receive(text('y')), 0);
  for (let look = 0; look < 16; look++) assert.equal(read(5) & 0x01, 0);
  assert.equal(uart.receive(text('y')), 1);
  assert.equal(read(5) & 0x01, 1);
  assert.equal(String.fromCharCode(read(0)), 'y');
  assert.equal(uart.receive(text('z')), 1, 'it still polls');
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
