import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { spawnViv, Workplace } from '../spawn-viv.fixture.ts';

const hasBuilder = spawnSync('mmdebstrap', ['--version']).status === 0;

describe('viv image build', { timeout: 600_000 }, () => {
  const refusals: readonly [what: string, words: string[], sentence: RegExp, isReal?: boolean][] = [
    ['an unknown distribution', ['fedora'], /"fedora" is no distribution/],
    ['an image that is too small', ['debian', '--size', '1M'], /a system needs 1G at least/],
    ['a release that is no name', ['debian', '--release', '../x'], /no name of a release/],
    ['a package that is no name', ['debian', '--packages', 'gcc,-y'], /"-y" is no name/],
    ['a mirror that is none', ['debian', '--mirror', 'here'], /"here" names no mirror/],
    ['a host name that is none', ['debian', '--hostname', 'a b'], /"a b" is no name of a host/],
    ['a file that is there', ['debian', '--output', '@/kernel'], /say --force to replace it/],
    [
      'a place that is not there',
      ['debian', '--output', '@/no/x'],
      /cannot write to .*no such/,
      true,
    ],
  ];
  for (const [what, words, sentence, isReal = false] of refusals) {
    const skip = isReal && !hasBuilder && 'mmdebstrap is not installed';
    test(`refuses ${what} in one sentence with code 1`, { skip }, async () => {
      using place = new Workplace();
      const named = words.map((word) => word.replace('@', place.path));
      const output = words.includes('--output') ? [] : ['--output', join(place.path, 'image')];
      const { code, stdout, stderr } = await spawnViv('image', 'build', ...named, ...output).ended;
      assert.match(stderr, sentence);
      assert.match(stderr, /^viv: [^\n]+\n$/);
      assert.deepEqual([code, stdout], [1, '']);
      assert.deepEqual(readdirSync(place.path), ['kernel']);
    });
  }
});
