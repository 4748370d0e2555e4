import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourcesOfRelease } from './build-sources.ts';
import { isPackageName } from './debian-image.ts';

const stanzas = {
  name: 'debian.sources',
  text: `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates trixie
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.example/node
Suites: nodistro
Components: main
`,
};
const lines = {
  name: '/etc/apt/sources.list',
  text: `deb [arch=amd64] http://one.example/debian bookworm main contrib # here
# deb http://off.example/debian bookworm main
deb-src http://one.example/debian bookworm main
deb http://one.example/security bookworm-security main
deb http://other.example/sdk sdk-bookworm main
deb http://one.example/extra bookworm contrib
`,
};

test('takes the sources of a release, whichever format they are in', () => {
  assert.deepEqual(sourcesOfRelease([stanzas], 'bookworm'), [
    'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n' +
      'Components: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
  ]);
  assert.deepEqual(sourcesOfRelease([lines], 'bookworm'), [
    'deb [arch=amd64] http://one.example/debian bookworm main contrib # here\n',
    'deb http://one.example/security bookworm-security main\n',
  ]);
});

test('takes none if the host has only updates of a release, or another release', () => {
  assert.deepEqual(sourcesOfRelease([stanzas, lines], 'bullseye'), []);
  const security = { name: 'x.list', text: 'deb http://a.example/s bookworm-security main\n' };
  assert.deepEqual(sourcesOfRelease([security], 'bookworm'), []);
});

test('knows names of packages from what a program would take for something else', () => {
  for (const name of [
    'gcc',
    'libc6-dev',
    'g++',
    'git=1:2.39-1',
    'gcc:i386',
    'gcc/bookworm-backports',
  ]) {
    assert.ok(isPackageName(name), name);
  }
  for (const name of ['', '-y', 'a b', 'A', "x';y", '~n', '?all']) {
    assert.ok(!isPackageName(name), name);
  }
});
