import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unconnectedLine } from '../../bus/mod.ts';
import { HandClock } from '../test-kit.fixture.ts';
import { I8042 } from './i8042.ts';
import { Typist } from './typist.ts';
import { strokesOf } from './us-keyboard.ts';

const hex = (text: string) =>
  strokesOf(text).map((stroke) => stroke.map((code) => code.toString(16)).join(' '));

test('typing: characters, with the shift key where it is needed', () => {
  assert.deepEqual(hex('a~'), ['1c', 'f0 1c', '12', 'e', 'f0 e', 'f0 12']);
  assert.deepEqual(hex('Z'), ['12', '1a', 'f0 1a', 'f0 12']);
  assert.deepEqual(hex('\n'), ['5a', 'f0 5a']);
});

test('typing: every character that can be printed is on the keyboard', () => {
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
  const seen = new Set(printable.map((character) => hex(character).join()));
  assert.equal(seen.size, 95);
});

test('typing: keys with names, and chords', () => {
  assert.deepEqual(hex('<f12><up>'), ['7', 'f0 7', 'e0 75', 'e0 f0 75']);
  assert.deepEqual(hex('<ctrl-c>'), ['14', '21', 'f0 21', 'f0 14']);
  assert.deepEqual(hex('<Ctrl-Alt-Del>'), [...['14', '11', 'e0 71', 'e0 f0 71', 'f0 11', 'f0 14']]);
  assert.deepEqual(hex('<ctrl-->'), ['14', '4e', 'f0 4e', 'f0 14']);
  assert.deepEqual(hex('<lt>enter>'), hex('<').concat(hex('enter>')));
  assert.deepEqual(hex('a < b'), hex('a ').concat(hex('<'), hex(' b')), 'a lone < is itself');
});

test('typing: what no key can say is refused in a sentence', () => {
  for (const text of ['é', '<f13>', '<foo>', '<a-b>', '<constructor>']) {
    assert.throws(() => strokesOf(text), { code: 'key-unknown', message: /US keyboard/ }, text);
  }
});

test('typing: a guest gets one stroke after the other, as fast as it reads them', () => {
  const clock = new HandClock();
  const [keyboardLine, auxLine] = [unconnectedLine, unconnectedLine];
  const i8042 = new I8042({ keyboardLine, auxLine, onReset: () => {} });
  const typist = new Typist({ clock, keyboard: i8042.keyboard });
  const strokes = strokesOf('hi<up>');
  const seen: number[] = [];
  for (let step = 0; step < 200; step++) {
    while (strokes[0] !== undefined && typist.offer(strokes[0])) strokes.shift();
    // A guest that looks now and then.
    if (step % 3 === 0 && i8042.command.read(0, 1) & 1) seen.push(i8042.data.read(0, 1));
    clock.advance(4_000_000);
  }
  assert.deepEqual(seen, [0x23, 0xa3, 0x17, 0x97, 0xe0, 0x48, 0xe0, 0xc8]);
});

test('typing: a keyboard that was turned off is waited for', () => {
  const clock = new HandClock();
  const [keyboardLine, auxLine] = [unconnectedLine, unconnectedLine];
  const i8042 = new I8042({ keyboardLine, auxLine, onReset: () => {} });
  const typist = new Typist({ clock, keyboard: i8042.keyboard });
  i8042.data.write(0, 1, 0xf5);
  assert.equal(i8042.data.read(0, 1), 0xfa);
  assert.equal(typist.offer([0x1c]), true);
  clock.advance(50_000_000);
  assert.equal(i8042.command.read(0, 1) & 1, 0);
  i8042.data.write(0, 1, 0xf4);
  assert.equal(i8042.data.read(0, 1), 0xfa);
  clock.advance(50_000_000);
  assert.equal(i8042.data.read(0, 1), 0x1e);
});
