import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ConsoleLog, type ReadLogOptions, readConsoleLog } from './console-log.ts';

describe('the log of a console', () => {
  let place = '';
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'vivarium-log-'));
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  async function read(options?: ReadLogOptions): Promise<string> {
    const pieces = [];
    for await (const bytes of readConsoleLog(place, options)) pieces.push(bytes);
    return Buffer.concat(pieces).toString('latin1');
  }

  function write(log: ConsoleLog, text: string): void {
    log.write(Buffer.from(text, 'latin1'));
  }

  test('is read as it was written, byte by byte', async () => {
    const log = new ConsoleLog(place);
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    for (let round = 0; round < 1000; round++) write(log, all);
    assert.equal(await read(), all.repeat(1000));
    log.close();
  });

  test('gives the last lines, the unfinished one among them', async () => {
    const log = new ConsoleLog(place);
    write(log, 'one\ntwo\nthree\nlogin: ');
    assert.equal(await read({ lines: 2 }), 'three\nlogin: ');
    assert.equal(await read({ lines: 0 }), '');
    assert.equal(await read({ lines: 9 }), 'one\ntwo\nthree\nlogin: ');
    write(log, 'root\n');
    assert.equal(await read({ lines: 1 }), 'login: root\n');
    log.close();
  });

  test('does not grow for ever: the file before the newest is kept', async () => {
    const log = new ConsoleLog(place, 1000);
    for (let line = 0; line < 1000; line++) write(log, `${line}\n`.padStart(10));
    assert.deepEqual(readdirSync(place).sort(), ['console.log', 'console.log.1']);
    write(log, 'more\n');
    assert.equal(await read(), `${previous()}more\n`);
    log.close();

    function previous(): string {
      return Array.from({ length: 100 }, (_, line) => `${900 + line}\n`.padStart(10)).join('');
    }
  });

  test('can be followed to its end, through the beginning of a new file', async () => {
    const log = new ConsoleLog(place, 20);
    write(log, 'first\n');
    const later = ['second second second\n', 'third\n'];
    const follow = async () => {
      const next = later.shift();
      if (next !== undefined) write(log, next);
      return next !== undefined;
    };
    assert.equal(await read({ follow }), 'first\nsecond second second\nthird\n');
    log.close();
  });
});
