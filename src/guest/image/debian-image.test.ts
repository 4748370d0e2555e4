import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { DEBIAN_IMAGE_SCRIPT, debianImageFiles } from './debian-image.ts';

const options = {
  release: 'bookworm',
  packages: [],
  hostname: 'web',
  autologin: false,
  authorizedKeys: ['ssh-ed25519 AAAA one\n', 'ssh-ed25519 BBBB two'],
};

test('an image has a name, lets in who may, and logs in nobody unasked', () => {
  const files = new Map(debianImageFiles(options).map((file) => [file.path, file]));
  assert.equal(files.get('etc/hostname')?.text, 'web\n');
  const keys = files.get('root/.ssh/authorized_keys');
  assert.deepEqual(
    [keys?.text, keys?.mode],
    ['ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n', 0o600],
  );
  assert.ok(![...files.keys()].some((path) => path.includes('autologin')));
  const open = debianImageFiles({ ...options, autologin: true, authorizedKeys: [] });
  assert.ok(open.some(({ text }) => text.includes('--autologin root')));
  assert.ok(!open.some(({ path }) => path.startsWith('root/')));
});

test('every unit that is switched on is brought along, and scripts can be read', () => {
  const files = debianImageFiles(options);
  for (const unit of ['sshd-vsock.socket', 'mount-host-folders.service']) {
    assert.ok(DEBIAN_IMAGE_SCRIPT.includes(unit), unit);
    assert.ok(
      files.some(({ path }) => path === `etc/systemd/system/${unit}`),
      unit,
    );
  }
  const programs = files.filter(({ mode }) => (mode & 0o111) !== 0);
  assert.deepEqual(
    programs.map(({ path }) => path),
    ['usr/local/sbin/mount-host-folders'],
  );
  for (const text of [...programs.map((each) => each.text), DEBIAN_IMAGE_SCRIPT]) {
    assert.match(text, /vivarium\.mount|chroot/);
    assert.equal(spawnSync('sh', ['-n'], { input: text }).status, 0);
  }
});
