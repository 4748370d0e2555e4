import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fakeBusybox, makeDeb } from '../../guest/packages.fixture.ts';
import { MIB, makeBzImage, makeElf, pattern } from '../../machine/boot/images.fixture.ts';
import { type ArchivePackage, writeArchive } from './archive.fixture.ts';
import { defaultGuest } from './guest-default.ts';
import { fetchGuestPackage } from './guest-packages.ts';

const directories: string[] = [];
const fresh = () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  directories.push(directory);
  return directory;
};
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const kernel = makeElf({ pvh: 2 * MIB, segments: [{ gpa: 2 * MIB, data: pattern(9000) }] });
const bzImage = makeBzImage({ payload: gzipSync(kernel) });
const busybox = { name: 'busybox-static', version: '1.35', deb: new Uint8Array() };
const guestPackages = async (): Promise<ArchivePackage[]> => [
  { ...busybox, deb: await makeDeb({ 'bin/busybox': fakeBusybox() }) },
  {
    name: 'linux-image-cloud-amd64',
    version: '6.1.2-1',
    deb: await makeDeb({}),
    depends: 'linux-image-6.1.0-2-cloud-amd64 (= 6.1.2-1)',
  },
  {
    name: 'linux-image-6.1.0-2-cloud-amd64',
    version: '6.1.2-1',
    deb: await makeDeb({ 'boot/vmlinuz-6.1.0-2-cloud-amd64': bzImage, 'boot/config': pattern(9) }),
  },
];
const archive = async (change: (packages: ArchivePackage[]) => ArchivePackage[] = (same) => same) =>
  writeArchive(fresh(), change(await guestPackages()));

/** Everything in a directory that is not meant to stay. */
const leftovers = (directory: string) =>
  (readdirSync(directory, { recursive: true }) as string[]).filter((path) =>
    /(^|\/)(tmp-|\.|lock$)/.test(path),
  );

describe('the default guest', () => {
  test('is fetched from an archive, unpacked, and told about', async () => {
    const cacheDir = fresh();
    const said: string[] = [];
    const progress = (message: string) => said.push(message);
    const guest = await defaultGuest({ cacheDir, mirror: await archive(), progress });
    assert.deepEqual(guest.kernel, kernel);
    assert.equal(guest.kernelVersion, '6.1.0-2-cloud-amd64');
    assert.match(guest.cmdline, /console=ttyS0/);
    assert.equal(new TextDecoder().decode(guest.initrd.subarray(0, 6)), '070701');
    assert.ok(said.some((message) => message.startsWith('fetching linux-image-6.1.0-2')));
    assert.deepEqual(leftovers(cacheDir), []);
  });

  test('comes from the cache the second time, without its archive', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const first = await defaultGuest({ cacheDir, mirror });
    rmSync(new URL(mirror), { recursive: true });
    const said: string[] = [];
    const second = await defaultGuest({ cacheDir, mirror, progress: (text) => said.push(text) });
    assert.deepEqual(second, first);
    assert.deepEqual(said, []);
  });

  test('is made again from cached packages when a file of it was damaged', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const first = await defaultGuest({ cacheDir, mirror });
    for (const name of readdirSync(join(cacheDir, 'guest'))) {
      if (name.startsWith('vmlinux')) writeFileSync(join(cacheDir, 'guest', name), 'cut');
      else if (name.endsWith('.json')) writeFileSync(join(cacheDir, 'guest', name), '{"kernel":');
    }
    assert.deepEqual(await defaultGuest({ cacheDir, mirror }), first);
  });

  test('is fetched once by two that want it at the same time', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const fetches: string[] = [];
    const progress = (text: string) => {
      if (/^fetching.*MB\)$/.test(text)) fetches.push(text);
    };
    const options = { cacheDir, mirror, progress };
    const [one, other] = await Promise.all([defaultGuest(options), defaultGuest(options)]);
    assert.deepEqual(one, other);
    assert.equal(fetches.length, 2);
    assert.deepEqual(leftovers(cacheDir), []);
  });

  test('is not taken from an archive whose package does not have the announced sum', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const pool = new URL(`${mirror}/pool/main/busybox-static_1.35_amd64.deb`);
    const deb = readFileSync(pool);
    deb[deb.length - 9] = deb[deb.length - 9]! ^ 1;
    writeFileSync(pool, deb);
    await assert.rejects(defaultGuest({ cacheDir, mirror }), {
      name: 'VivariumError',
      code: 'archive-damaged',
      message: /busybox-static/,
    });
    assert.deepEqual(leftovers(cacheDir), []);
  });

  test('is refused with a sentence when the archive lacks a package or a file', async () => {
    const noBusybox = await archive((packages) => packages.slice(1));
    await assert.rejects(defaultGuest({ cacheDir: fresh(), mirror: noBusybox }), {
      code: 'package-unknown',
      message: /has no package busybox-static/,
    });
    const empty = await makeDeb({});
    const noKernel = await archive((packages) => packages.map((each) => ({ ...each, deb: empty })));
    await assert.rejects(defaultGuest({ cacheDir: fresh(), mirror: noKernel }), {
      code: 'package-file-missing',
    });
  });

  test('is refused with a sentence when the mirror is no URL or not there', async () => {
    await assert.rejects(defaultGuest({ cacheDir: fresh(), mirror: 'debian' }), {
      code: 'mirror-invalid',
    });
    await assert.rejects(defaultGuest({ cacheDir: fresh(), mirror: 'file:///no/such/archive' }), {
      code: 'mirror-unreachable',
      message: /^cannot read file:\/\/\/no\/such\/archive/,
    });
  });
});

describe('a cache that cannot be used', () => {
  test('is named, with the reason and what to do', async () => {
    const mirror = await archive();
    const file = join(fresh(), 'file');
    writeFileSync(file, '');
    for (const cacheDir of [join(file, 'cache'), '/proc/vivarium/cache']) {
      await assert.rejects(
        defaultGuest({ cacheDir, mirror }),
        (error: Error & { code: string }) =>
          error.code === 'cache-unusable' &&
          error.message.includes(cacheDir) &&
          /XDG_CACHE_HOME/.test(error.message),
        cacheDir,
      );
    }
  });

  test('says so when permission is missing', { skip: process.getuid?.() === 0 }, async () => {
    const directory = fresh();
    chmodSync(directory, 0o500);
    const options = { cacheDir: join(directory, 'cache'), mirror: await archive() };
    await assert.rejects(defaultGuest(options), { message: /permission denied/ });
  });

  test('serves what it has without being written to', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const first = await defaultGuest({ cacheDir, mirror });
    const before = readdirSync(cacheDir, { recursive: true });
    assert.deepEqual(await defaultGuest({ cacheDir, mirror }), first);
    assert.deepEqual(readdirSync(cacheDir, { recursive: true }), before);
  });
});

describe('a file of a package', () => {
  test('is fetched once and kept', async () => {
    const cacheDir = fresh();
    const mirror = await archive();
    const options = { cacheDir, mirror };
    const config = await fetchGuestPackage(
      'linux-image-6.1.0-2-cloud-amd64',
      'boot/config',
      options,
    );
    assert.deepEqual(config, pattern(9));
    rmSync(new URL(mirror), { recursive: true });
    const again = await fetchGuestPackage(
      'linux-image-6.1.0-2-cloud-amd64',
      'boot/config',
      options,
    );
    assert.deepEqual(again, config);
  });

  test('that is not there, or is no plain name, is refused', async () => {
    const options = { cacheDir: fresh(), mirror: await archive() };
    await assert.rejects(fetchGuestPackage('busybox-static', 'bin/nothing', options), {
      code: 'package-file-missing',
    });
    for (const [name, file] of [
      ['busybox-static', '../../etc/passwd'],
      ['../x', 'file'],
      ['busybox-static', '/bin/busybox'],
    ] as const) {
      await assert.rejects(fetchGuestPackage(name, file, options), { code: 'package-unknown' });
    }
  });
});
