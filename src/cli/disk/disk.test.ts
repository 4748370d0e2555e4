import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { spawnViv, Workplace } from '../spawn-viv.fixture.ts';
import { formatBytes, parseClusterBits, parseDiskSize } from './size.ts';

async function disk(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await spawnViv('disk', ...words).ended;
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('viv disk', { timeout: 600_000 }, () => {
  test('makes images of both formats, told by their names or by --format', async () => {
    using place = new Workplace();
    const path = (name: string) => join(place.path, name);
    assert.equal(await disk('create', path('a.qcow2'), '3G'), '');
    await disk('create', path('b.img'), '5M');
    await disk('create', path('c'), '1M', '--format', 'raw');
    assert.equal(statSync(path('b.img')).size, 5 * 2 ** 20);
    assert.equal(statSync(path('c')).size, 2 ** 20);
    const text = await disk('info', path('a.qcow2'));
    assert.match(text, /^format +qcow2, version 3$/m);
    assert.match(text, /^capacity +3 GiB \(3221225472 bytes\)$/m);
    assert.match(await disk('check', path('a.qcow2')), /sound, 0 clusters in use/);
  });

  test('an image on another has its size, and can be copied into one of its own', async () => {
    using place = new Workplace();
    const base = place.file('base.raw', 'x'.repeat(100_000));
    const front = join(place.path, 'front.qcow2');
    await disk('create', front, '--backing', 'base.raw', '--cluster-size', '4K');
    const info = JSON.parse(await disk('info', front, '--json'));
    assert.equal(info.virtualBytes, 100_352);
    assert.deepEqual(info.qcow2.backing, { name: 'base.raw', format: 'raw' });
    assert.equal(info.qcow2.clusterBytes, 4096);
    await disk('convert', front, join(place.path, 'packed.qcow2'), '--compress');
    await disk('convert', join(place.path, 'packed.qcow2'), join(place.path, 'copy.raw'));
    const copy = readFileSync(join(place.path, 'copy.raw'));
    assert.equal(copy.length, 100_352);
    assert.ok(copy.subarray(0, 100_000).equals(readFileSync(base)));
  });

  test('grows a disk, and shrinks one only when that is meant', async () => {
    using place = new Workplace();
    const path = join(place.path, 'a.qcow2');
    await disk('create', path, '1G');
    await disk('resize', path, '2T');
    const { code, stderr } = await spawnViv('disk', 'resize', path, '1G').ended;
    assert.equal(code, 1);
    assert.match(stderr, /the end would be lost; add --shrink/);
    await disk('resize', path, '1G', '--shrink');
    assert.match(await disk('info', path), /capacity +1 GiB/);
  });

  test('finds the faults of an image, and repairs it', async () => {
    using place = new Workplace();
    const path = join(place.path, 'a.qcow2');
    await disk('create', path, '1M');
    const bytes = readFileSync(path);
    bytes.writeUInt16BE(5, 2 * 65_536 + 2 * 3); // the level 1 table is used once
    bytes.writeUInt16BE(0, 2 * 65_536 + 2 * 1); // the table of counts is used
    writeFileSync(path, bytes);
    const { code, stderr } = await spawnViv('disk', 'check', path).ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /a\.qcow2 has 1 faults:\n {2}cluster 1 is used 1 times and counted 0 times/,
    );
    assert.match(await disk('check', path, '--repair'), /sound, 0 clusters in use\n$/);
    assert.match(await disk('check', path), /sound/);
  });

  const refusals: readonly [what: string, words: string[], sentence: RegExp][] = [
    ['a file that is there', ['create', '@', '1G'], /there is such a file already/],
    ['a disk without size', ['create', '@.new'], /say how large the disk is to be/],
    ['a size that is none', ['create', '@.new', 'big'], /"big" is not a size of a disk/],
    ['a disk of nothing', ['create', '@.new', '0'], /"0" is not a size of a disk/],
    ['a disk too large', ['create', '@.new', '2000T'], /too large; 1024T is the limit/],
    [
      'clusters that cannot be',
      ['create', '@.new', '1G', '--cluster-size', '3K'],
      /clusters of 3K/,
    ],
    ['an unknown format', ['create', '@.new', '1G', '--format', 'vdi'], /"vdi" is no format/],
    ['a raw image on another', ['create', '@.raw', '--backing', '@'], /raw image has neither/],
    [
      'an image on nothing',
      ['create', '@.new', '--backing', '/no/base'],
      /\/no\/base: there is no/,
    ],
    ['a missing image', ['info', '/no/image'], /\/no\/image: there is no such file/],
    ['a directory', ['check', '/tmp'], /\/tmp: it is a directory/],
    [
      'an image of another kind',
      ['info', '@vmdk'],
      /of the kind VMDK, which Vivarium does not read/,
    ],
    ['a damaged header', ['info', '@damaged'], /is damaged: its cluster size 2\^0 cannot be/],
    ['a snapshot that is not', ['convert', '@', '@.new', '--snapshot', 'x'], /has no snapshot "x"/],
    ['an unknown command', ['destroy', '@'], /unknown command 'destroy'/],
  ];
  for (const [what, words, sentence] of refusals) {
    test(`refuses ${what} in one sentence with code 1`, async () => {
      using place = new Workplace();
      place.file('image', 'contents');
      place.file('vmdk', `KDMV${'\0'.repeat(600)}`);
      writeFileSync(
        join(place.path, 'damaged'),
        Buffer.from(`QFI\xfb\0\0\0\x03${'\0'.repeat(600)}`, 'latin1'),
      );
      const before = readdirSync(place.path);
      const named = words.map((word) =>
        word.replace(/^@(.*)$/, (_, rest: string) =>
          join(place.path, rest === '' || rest.startsWith('.') ? `image${rest}` : rest),
        ),
      );
      const { code, stdout, stderr } = await spawnViv('disk', ...named).ended;
      assert.match(stderr, sentence);
      assert.match(stderr, /^viv: [^\n]+\n$/);
      assert.equal(stdout, '');
      assert.equal(code, 1);
      assert.deepEqual(readdirSync(place.path), before);
    });
  }

  test('a machine refuses disks that cannot be, in one sentence', async () => {
    using place = new Workplace();
    place.file('base');
    const qcow2 = join(place.path, 'lost.qcow2');
    await disk('create', qcow2, '1M', '--backing', 'base', '--backing-format', 'raw');
    const lost = readFileSync(qcow2);
    writeFileSync(qcow2, lost.toString('latin1').replace('base', 'gone'), 'latin1');
    const cases: [string, RegExp][] = [
      ['/no/disk', /cannot open for writing the disk image \/no\/disk|\/no\/disk: there is no/],
      [qcow2, /lost\.qcow2 stands on another image: cannot read .*\/gone: there is no such file/],
      [`${place.kernel},bus=scsi`, /kernel, bus: must be virtio, nvme or ide$/m],
      [`${place.kernel},format=vdi`, /format/],
      [`${place.kernel},serial=${'x'.repeat(21)}`, /serial: must be 1 to 20 plain characters/],
      [`${place.kernel},colour=red`, /A disk has no option "colour=red"/],
    ];
    for (const [option, sentence] of cases) {
      const words = ['run', '--kernel', place.kernel, '--disk', option];
      const { code, stderr } = await spawnViv(...words).ended;
      assert.match(stderr, sentence);
      assert.match(stderr, /^viv: [^\n]+\n$/);
      assert.equal(code, 1);
    }
    assert.ok(!readdirSync(place.path).some((name) => name.startsWith('.')));
  });
});

describe('sizes of disks', () => {
  test('are written with units, and are whole sectors', () => {
    assert.equal(parseDiskSize('20G'), 20 * 2 ** 30);
    assert.equal(parseDiskSize('1.5 MiB'), 1.5 * 2 ** 20);
    assert.equal(parseDiskSize('513'), 1024);
    for (const text of ['', '-1', '1X', '1e9', 'G']) {
      assert.throws(() => parseDiskSize(text), { code: 'option-invalid' }, text);
    }
    assert.equal(parseClusterBits('64K'), 16);
    assert.throws(() => parseClusterBits('4M'), { code: 'option-invalid' });
  });

  test('are shown in the largest unit that fits', () => {
    assert.deepEqual([0, 1023, 1536, 2 ** 20, 2.54 * 2 ** 30, 2 ** 50].map(formatBytes), [
      '0 bytes',
      '1023 bytes',
      '1.5 KiB',
      '1 MiB',
      '2.5 GiB',
      '1024 TiB',
    ]);
  });
});
