/** Whatever is wrong with what the user gave is said in one sentence, and nothing is left behind. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stockBzImage, stockElf, Workplace } from './images.ts';
import { runViv } from './session.ts';

describe('bad input', { timeout: 600_000 }, () => {
  const place = new Workplace();
  const leftovers = join(place.path, 'tmp');
  let elf: Uint8Array;
  let bzImage: Uint8Array;
  let kernel: string;

  before(async () => {
    mkdirSync(leftovers);
    elf = await stockElf();
    bzImage = await stockBzImage();
    kernel = place.file('vmlinux', elf);
  });
  after(() => place[Symbol.dispose]());

  /** Runs `viv run`; expects exit code 1, nothing on standard output, and one sentence that matches. */
  async function refuses(
    arguments_: readonly string[],
    sentence: RegExp,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    await using viv = runViv(arguments_, { environment: { TMPDIR: leftovers, ...environment } });
    const { code, output, errors } = await viv.ended;
    assert.match(errors, /^viv: [^\n]+\n$/, 'one line');
    assert.match(errors, sentence);
    assert.doesNotMatch(errors, /\bat \S+ \(|Error:/, 'no stack');
    assert.equal(output, '');
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(leftovers), [], 'nothing left behind');
  }

  test('a missing kernel', () => refuses(['--kernel', '/no/such/kernel'], /no such file/));

  test('a missing initial RAM disk', () =>
    refuses(['--kernel', kernel, '--initrd', '/no/such/initrd'], /RAM disk .* no such file/));

  test('a truncated ELF kernel', () =>
    refuses(['--kernel', place.file('cut-elf', elf.subarray(0, 5_000_000))], /truncated|ends/));

  test('an ELF kernel of which the first bytes are left', () =>
    refuses(['--kernel', place.file('stump', elf.subarray(0, 40))], /truncated|ends|not a kernel/));

  test('a truncated bzImage', () =>
    refuses(['--kernel', place.file('cut-bz', bzImage.subarray(0, 2_000_000))], /truncated|ends/));

  test('a text file as kernel', () =>
    refuses(['--kernel', place.file('text', 'Dear kernel,\n'.repeat(500))], /a text file/));

  test('an empty file as kernel', () =>
    refuses(['--kernel', place.file('empty', '')], /is empty|not a kernel/));

  test('a directory as kernel', () => refuses(['--kernel', place.path], /is a directory/));

  test('a program of the host as kernel', () =>
    refuses(['--kernel', '/bin/sh'], /not a kernel that can be booted/));

  test('an initial RAM disk larger than memory', () => {
    const initrd = place.file('large', '');
    truncateSync(initrd, 300 * 2 ** 20);
    return refuses(['--kernel', kernel, '--initrd', initrd, '--memory', '256M'], /RAM disk|memory/);
  });

  test('a megabyte of memory', () => refuses(['--memory', '1M'], /memory/));

  test('a megabyte of memory for a given kernel', () =>
    refuses(['--kernel', kernel, '--memory', '1M'], /memory/));

  for (const size of ['0', '12.3K', 'much', '-1M', '99999T']) {
    test(`--memory ${size}`, () => refuses([`--memory=${size}`], /memory/));
  }

  test('an unknown option', () => refuses(['--frobnicate'], /unknown option '--frobnicate'/));

  test('an option without its value', () => refuses(['--kernel'], /argument missing/));

  test('an unknown engine', () => refuses(['--engine', 'steam'], /steam/));

  test('a command line that is longer than the kernel takes', () =>
    refuses(['--kernel', kernel, '--cmdline', 'a'.repeat(5000)], /command line/));

  test('a cache directory that is a file', () => {
    const file = place.file('not-a-directory', '');
    return refuses([], /cache directory .*not-a-directory/, { XDG_CACHE_HOME: file });
  });

  test('a cache directory that cannot be made', () =>
    refuses([], /cache directory \/proc\/none/, { XDG_CACHE_HOME: '/proc/none' }));

  const isRoot = process.getuid?.() === 0 && 'root may write everywhere';
  test('a cache directory that is read-only', { skip: isRoot }, () => {
    const directory = join(place.path, 'read-only');
    mkdirSync(directory);
    chmodSync(directory, 0o555);
    return refuses([], /permission denied/, { XDG_CACHE_HOME: directory });
  });
});
