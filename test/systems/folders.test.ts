/** Shared folders in the default guest: real programs work in them, and the host finds what they did. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hasPackageTools, resolvePackages, unpackPackages } from '../../bench/image/debian.ts';
import { Workplace } from '../guests/images.ts';
import { runViv, type Session } from '../guests/session.ts';

const PACKAGES = join(import.meta.dirname, '../../node_modules/.cache/vivarium/bench/packages');
const MIB = 2 ** 20;
/** File system tests of stress-ng that check what they read, and need nothing beyond a folder. */
const STRESSORS =
  'access chdir chmod chown dentry dir dirdeep filename flock fstat getdent hdd lease link locka ' +
  'lockf lockofd mknod open rename seek symlink sync-file touch utime';
const STRESS_SECONDS = 2;

const isLinux = process.platform === 'linux';

describe('shared folders', { timeout: 1_500_000, skip: isLinux ? false : 'needs Linux' }, () => {
  const place = new Workplace();
  const path = (...names: string[]) => join(place.path, ...names);
  let guest: Session;
  let hasPrograms = false;

  before(async () => {
    for (const name of ['work', 'fixed', 'programs', 'state']) mkdirSync(path(name));
    writeFileSync(path('fixed', 'file'), 'fixed\n');
    writeFileSync(path('one.conf'), 'first\n');
    hasPrograms = unpackPrograms(path('programs'));
    guest = runViv(
      [
        ...['-v', `${path('work')}:/work`, '-v', `${path('fixed')}:/fixed:ro`],
        ...['-v', `${path('one.conf')}:/etc/one.conf`, '-v', `${path('programs')}:/programs`],
        ...['--timeout', '1450'],
      ],
      { environment: { XDG_STATE_HOME: path('state') } },
    );
    await guest.expect('vivarium:~# ');
  });

  after(async () => {
    await guest[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  const run = async (line: string, seconds?: number) => {
    const { text, status } = await guest.run(line, seconds);
    assert.equal(status, 0, text);
    return text;
  };

  test('are mounted where the command line says', async () => {
    const text = await run('grep virtiofs /proc/mounts; cat /etc/one.conf');
    assert.match(text, /^viv0 \/work virtiofs rw,/m);
    assert.match(text, /^viv1 \/fixed virtiofs ro,/m);
    assert.match(text, /^viv2 \/etc\/one.conf virtiofs rw,/m);
    assert.match(text, /^first$/m);
  });

  test('take a tree by cp and by tar, and give it back', async () => {
    await run(
      'mkdir /work/cp /work/tar; cp -a /bin /etc /work/cp; tar c -C / bin etc | tar x -C /work/tar',
    );
    await run('cd /work; mkdir back; tar c -C cp . | tar x -C back; cd /');
    const sums = await run(
      'cd /; find bin etc -type f ! -name one.conf | sort | xargs sha256sum; cd',
    );
    for (const [, sum, file] of sums.matchAll(/^(\w{64}) +(\S+)$/gm)) {
      for (const copy of ['cp', 'tar', 'back']) {
        const bytes = readFileSync(path('work', copy, file as string));
        assert.equal(createHash('sha256').update(bytes).digest('hex'), sum, `${copy} ${file}`);
      }
    }
    assert.equal(readlinkSync(path('work/cp/bin/ls')), 'busybox');
    const count = await run('find /work/cp | wc -l');
    assert.equal(Number(count), countBelow(path('work/cp')));
    for (const copy of ['tar', 'back']) {
      assert.deepEqual(treeOf(path('work', copy)), treeOf(path('work/cp')), copy);
    }
    await run('rm -r /work/cp /work/tar /work/back');
    assert.deepEqual(readdirSync(path('work')), []);
  });

  test('links, renames, sizes and permissions are the same on both sides', async () => {
    await run(
      'cd /work; mkdir a b; echo one >a/x; ln a/x a/y; ln -s ../a/x b/z; mv a b/c; echo two >>b/c/y; ' +
        'chmod 750 b/c; mv b/z b/c/w; truncate -s 12345 big; dd if=/dev/urandom of=rnd bs=64k count=48; ' +
        'cp rnd copy; mv copy big; touch -d "2001-02-03 04:05:06" b/c/x; cd',
    );
    assert.equal(readFileSync(path('work/b/c/x'), 'utf8'), 'one\ntwo\n');
    assert.equal(statSync(path('work/b/c/x')).nlink, 2);
    assert.equal(statSync(path('work/b/c/x')).mtime.toISOString(), '2001-02-03T04:05:06.000Z');
    assert.equal(readlinkSync(path('work/b/c/w')), '../a/x');
    assert.equal(statSync(path('work/b/c')).mode & 0o777, 0o750);
    assert.ok(readFileSync(path('work/big')).equals(readFileSync(path('work/rnd'))));
    assert.equal(existsSync(path('work/copy')), false);
    await run('cmp /work/big /work/rnd; rm -r /work/*');
  });

  test('owners, special bits, pipes and devices are the guest’s own', async () => {
    const text = await run(
      'cd /work; echo x >f; chown 12:34 f; chmod 4755 f; mkfifo p; mknod n c 1 3; ' +
        '(echo through >p &); cat p; echo lost >n; stat -c "%n %u %g %a %F" f p n; cd',
    );
    assert.match(text, /^through$/m);
    assert.match(text, /^f 12 34 4755 regular file\r?$/m);
    assert.match(text, /^p 0 0 644 fifo\r?$/m);
    assert.match(text, /^n 0 0 644 character special file\r?$/m);
    const onHost = lstatSync(path('work/f'));
    assert.deepEqual([onHost.uid, onHost.mode & 0o7777], [process.getuid?.(), 0o755]);
    assert.ok(lstatSync(path('work/n')).isFile());
    assert.equal(lstatSync(path('work/n')).size, 0);
    await run('rm /work/*');
  });

  test('files live on while they are open', async () => {
    const text = await run(
      'cd /work; exec 5>open; exec 6<open; rm open; echo still >&5; cat <&6; exec 5>&- 6<&-; ls -a; cd',
    );
    assert.match(text, /^still$/m);
    assert.doesNotMatch(text, /open/);
  });

  test('what the host changes the guest sees, a second later at most', async () => {
    writeFileSync(path('work/news'), 'old');
    await run('cat /work/news');
    writeFileSync(path('work/news'), 'new and longer');
    writeFileSync(path('one.conf'), 'second\n');
    assert.match(await run('sleep 1.2; cat /work/news /etc/one.conf'), /new and longersecond/);
    rmSync(path('work/news'));
    assert.notEqual((await guest.run('sleep 1.2; cat /work/news')).status, 0);
    await run('echo third >/etc/one.conf');
    assert.equal(readFileSync(path('one.conf'), 'utf8'), 'third\n');
  });

  test('what is shared to be read refuses every change, however it is mounted', async () => {
    const attempts = [
      'echo x >/fixed/new',
      'rm -f /fixed/file',
      'chmod 777 /fixed/file',
      'mkdir /fixed/d',
    ];
    await run('cat /fixed/file');
    for (const how of ['ro', 'remount,rw']) {
      await guest.run(`mount -o ${how} /fixed`);
      for (const attempt of attempts) {
        const { text, status } = await guest.run(attempt);
        assert.notEqual(status, 0, attempt);
        assert.match(text, /Read-only file system/, attempt);
      }
    }
    assert.deepEqual(readdirSync(path('fixed')), ['file']);
    assert.equal(readFileSync(path('fixed/file'), 'utf8'), 'fixed\n');
  });

  test('a symbolic link to the outside is the guest’s to follow, in the guest', async () => {
    spawnSync('ln', ['-s', '/etc/hostname', path('work/out')]);
    spawnSync('ln', ['-s', '../../..', path('work/up')]);
    assert.match(
      await run('cat /work/out; ls -1 /work/up/; rm /work/out /work/up'),
      /^vivarium$[\s\S]*^work$/m,
    );
  });

  test('git works in them, and finds nothing wrong on either side', async (context) => {
    if (!hasPrograms) return context.skip('Debian packages cannot be fetched');
    await run(enterPrograms);
    const git =
      'chroot /programs git -c color.ui=never -c user.name=v -c user.email=v@v -C /work/repository';
    await run(
      'mkdir /work/repository; cp -a /etc /work/repository/etc; rm -f /work/repository/etc/one.conf',
    );
    await run(`${git} init -q && ${git} add . && ${git} commit -q -m one`, 300);
    await run(`echo more >>/work/repository/etc/motd; echo new >/work/repository/new`);
    assert.match(await run(`${git} status --short`), /^ M etc\/motd\r?\n\?\? new$/m);
    await run(
      `${git} add . && ${git} commit -q -m two && ${git} gc -q && ${git} fsck --strict`,
      300,
    );
    const check = (...words: string[]) =>
      spawnSync('git', ['-c', 'safe.directory=*', '-C', path('work/repository'), ...words], {
        encoding: 'utf8',
      });
    if (check('--version').status !== 0) return;
    assert.equal(check('fsck', '--strict').status, 0);
    assert.equal(check('status', '--short').stdout, '');
    assert.equal(check('log', '--format=%s').stdout, 'two\none\n');
  });

  test('the file system tests of stress-ng find nothing', async (context) => {
    if (!hasPrograms) return context.skip('Debian packages cannot be fetched');
    await run(enterPrograms);
    for (const stressor of STRESSORS.split(' ')) {
      const { text, status } = await guest.run(
        `chroot /programs stress-ng --temp-path /work --verify --${stressor} 1 -t ${STRESS_SECONDS} 2>&1`,
        120,
      );
      assert.equal(status, 0, `${stressor}: ${text}`);
      assert.doesNotMatch(text, /stress-ng: (fail|error)/, stressor);
    }
    await run('rm -rf /work/*');
  });

  test('large files come out as they went in, through fsync and copies', async () => {
    await run(
      'dd if=/dev/urandom of=/tmp/r bs=1M count=8; for i in 1 2 3 4; do cat /tmp/r; done >/work/big',
    );
    await run(
      'dd if=/work/big of=/work/copy bs=4k conv=fsync; cmp /work/big /work/copy; sync',
      300,
    );
    assert.equal(statSync(path('work/copy')).size, 32 * MIB);
    assert.ok(readFileSync(path('work/copy')).equals(readFileSync(path('work/big'))));
    await run('rm /work/big /work/copy /tmp/r');
  });

  test('they are there again after a reset', async () => {
    await run('echo kept >/work/kept');
    guest.type('reboot\n');
    await guest.expect('Restarting system');
    await guest.expect('vivarium:~# ');
    assert.match(await run('cat /work/kept /etc/one.conf'), /kept\r?\nthird/);
    guest.type('poweroff\n');
    assert.equal((await guest.ended).code, 0);
  });
});

/** Makes the unpacked programs usable by chroot. */
const enterPrograms =
  'cd /programs && mkdir -p proc sys dev tmp work && for d in proc sys dev work; do ' +
  'mountpoint -q $d || mount -o bind /$d $d; done; cd';

function unpackPrograms(tree: string): boolean {
  if (!hasPackageTools()) return false;
  for (const name of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64']) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    spawnSync('ln', ['-s', `usr/${name}`, join(tree, name)]);
  try {
    unpackPackages(resolvePackages(['stress-ng', 'git']), PACKAGES, tree);
    return true;
  } catch {
    return false;
  }
}

/** Names, kinds, permissions and times of everything below a directory. */
function treeOf(directory: string): unknown[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const stats = lstatSync(join(directory, name));
    const target = stats.isSymbolicLink() ? readlinkSync(join(directory, name)) : '';
    const time = stats.isFile() ? Math.floor(stats.mtimeMs / 1000) : 0;
    return [name, stats.mode, stats.isDirectory() ? 0 : stats.size, time, target];
  });
}

function countBelow(directory: string): number {
  return 1 + readdirSync(directory, { recursive: true }).length;
}
