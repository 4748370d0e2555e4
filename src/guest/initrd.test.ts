import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyboxApplets } from './busybox.ts';
import { initFiles } from './init-files.ts';
import { buildInitrd } from './initrd.ts';
import { fakeBusybox } from './packages.fixture.ts';

const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);

/** Names in the order of the archive. */
function names(archive: Uint8Array): string[] {
  return [...text(archive).matchAll(/070701[0-9A-F]{104}([^\0]+)\0/g)].map((match) => match[1]!);
}

test('the applets of a busybox are read from its table', () => {
  const applets = ['[', '[[', 'ash', 'dpkg-deb', 'init', 'run-parts', 'sh', 'vi'];
  assert.deepEqual(busyboxApplets(fakeBusybox(applets)), applets);
});

test('a file that is no busybox is refused', () => {
  const bytes = new TextEncoder().encode('[\0[[\0not\0what\0it\0seems\0\0');
  assert.throws(() => busyboxApplets(bytes), { name: 'VivariumError', code: 'not-busybox' });
  assert.throws(() => busyboxApplets(new Uint8Array(0)), { code: 'not-busybox' });
});

test('the RAM disk has init, console, a link for each applet, and every file of the guest', () => {
  const found = names(buildInitrd({ busybox: fakeBusybox() }));
  for (const path of ['init', 'dev/console', 'bin/busybox', 'bin/sh', 'proc', 'sys', 'usr/bin']) {
    assert.ok(found.includes(path), path);
  }
  for (const { path } of initFiles) assert.ok(found.includes(path), path);
});

test('in the RAM disk a directory comes before what it holds, and nothing comes twice', () => {
  const found = names(buildInitrd({ busybox: fakeBusybox() }));
  assert.equal(new Set(found).size, found.length);
  for (const path of found) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== '') assert.ok(found.indexOf(parent) < found.indexOf(path), path);
  }
});

test('modules are listed in the order of loading, and further files take the place of ours', () => {
  const archive = buildInitrd({
    busybox: fakeBusybox(),
    modules: [
      { path: 'lib/modules/z.ko', data: 'zz' },
      { path: 'lib/modules/a.ko', data: 'aa' },
    ],
    files: [{ path: 'etc/motd', data: 'another greeting' }],
  });
  assert.match(text(archive), /\/lib\/modules\/z\.ko\n\/lib\/modules\/a\.ko\n/);
  assert.match(text(archive), /another greeting/);
  assert.doesNotMatch(text(archive), /Welcome/);
});

test('equal input gives equal bytes', () => {
  const busybox = fakeBusybox();
  assert.deepEqual(buildInitrd({ busybox }), buildInitrd({ busybox }));
});
