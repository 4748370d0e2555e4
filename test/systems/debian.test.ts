/** A Debian system from `viv image build`, worked in as its user would: in the background, by commands. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { unpackProgramPackages } from '../../bench/image/program-archive.ts';
import { cpuSeconds } from '../../bench/machines/process-usage.ts';
import { type GitServer, serveGit } from './git-server.ts';
import { viv } from './viv-command.ts';

const PACKAGES =
  'file,fio,gcc,git,iperf3,libc6-dev,libpython3.11-testsuite,openssl,perl,python3,sqlite3,stress-ng';
/** Seconds that the guest may take to start, on a host that has much else to do. */
const BOOT_SECONDS = 900;
const MACHINE = 'debian-test';
/** Two more machines of the same image, on a switch. */
const SERVER = { name: 'debian-server', address: '10.77.0.1' };
const CLIENT = { name: 'debian-client', address: '10.77.0.2' };

const MIB = 2 ** 20;
/** Seconds that two machines may take to start, and for everything they do then. */
const PAIR_SECONDS = BOOT_SECONDS + 900;
const IPERF_MIB = 256;
/** What TCP may hold when iperf3 stops: of the sender 4 MiB, of the receiver 6 (tcp(7), tcp_wmem and tcp_rmem). */
const UNDER_WAY_MIB = 10;

/** Disks beside that of the system, by their serial numbers. */
const DISKS = [
  { serial: 'virtio-raw', file: 'virtio.img', bus: 'virtio' },
  { serial: 'virtio-qcow2', file: 'virtio.qcow2', bus: 'virtio' },
  { serial: 'nvme-raw', file: 'nvme.img', bus: 'nvme' },
  { serial: 'nvme-qcow2', file: 'nvme.qcow2', bus: 'nvme' },
] as const;

/** Stressors of stress-ng, and how much of memory and disk those take that take as much as there is. */
const STRESSORS = {
  'the processor':
    'cpu matrix vecmath fp qsort str tsearch hsearch memcpy crypt zlib atomic branch longjmp stack',
  memory: 'vm mmap mremap mprotect madvise malloc fault shm memfd',
  'processes and time':
    'fork vfork clone pipe fifo futex sem mq msg poll epoll eventfd switch timer itimer timerfd ' +
    'nanosleep clock sigq signal sigsegv',
  'files and sockets':
    'hdd dentry dir link symlink rename seek flock fcntl sendfile splice tee inotify sock udp ' +
    'sockpair xattr aio',
} as const;
const STRESS_SECONDS = 45;
const STRESS_LIMITS =
  '--vm-bytes 16M --mmap-bytes 16M --mremap-bytes 8M --malloc-bytes 16M --memfd-bytes 16M ' +
  '--shm-bytes 4M --hdd-bytes 16M';
const hasBuilder = spawnSync('mmdebstrap', ['--version']).status === 0;
const skip = hasBuilder ? false : 'mmdebstrap is not installed';

describe('a Debian system that viv image build made', { skip, timeout: 5_300_000 }, () => {
  const place = mkdtempSync(join(tmpdir(), 'vivarium-debian-'));
  const image = join(place, 'debian.qcow2');
  const stateBefore = process.env['XDG_STATE_HOME'];
  let git: GitServer | undefined;
  let server: ChildProcess | undefined;

  before(() => {
    process.env['XDG_STATE_HOME'] = join(place, 'state');
  });
  after(async () => {
    await viv(['rm', '--force', MACHINE, SERVER.name, CLIENT.name]);
    server?.kill();
    git?.[Symbol.dispose]();
    if (stateBefore === undefined) delete process.env['XDG_STATE_HOME'];
    else process.env['XDG_STATE_HOME'] = stateBefore;
    rmSync(place, { recursive: true, force: true });
  });

  /** Runs a shell script in the guest, which is to end well; returns what it printed. */
  async function inGuest(script: string, machine = MACHINE): Promise<string> {
    const arguments_ = ['exec', '--wait', String(BOOT_SECONDS), machine, 'sh', '-es'];
    const { code, stdout, stderr } = await viv(arguments_, script);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  test('is built', async () => {
    const arguments_ = ['image', 'build', 'debian', '--output', image, '--packages', PACKAGES];
    const { code, stdout, stderr } = await viv([...arguments_, '--size', '4G', '--json']);
    assert.equal(code, 0, stderr);
    const { image: made, release, bytes } = JSON.parse(stdout);
    assert.deepEqual([made, release, bytes], [image, 'bookworm', 4 * 2 ** 30]);
    const again = await viv(arguments_);
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /is there already; say --force/);
  });

  test('boots in the background to a login', async () => {
    const disks: string[] = [];
    for (const { serial, file, bus } of DISKS) {
      const path = join(place, file);
      assert.equal((await viv(['disk', 'create', path, '64M'])).code, 0);
      disks.push('--disk', `${path},bus=${bus},serial=${serial}`);
    }
    const machine = ['--name', MACHINE, '--memory', '1G', ...disks];
    const { code, stderr } = await viv(['run', '-d', ...machine, image]);
    assert.equal(code, 0, stderr);
    const end = performance.now() + BOOT_SECONDS * 1000;
    let log = '';
    while (!log.includes('debian login: ')) {
      assert.ok(performance.now() < end, `no login: ${log}`);
      await sleep(2000);
      log = (await viv(['logs', MACHINE])).stdout;
      assert.doesNotMatch(log, /Kernel panic|Call Trace|emergency mode/);
    }
  });

  test('runs commands with binary input and output, and tells their exit code', async () => {
    const input = randomBytes(200_000);
    const command = ['exec', MACHINE, 'sh', '-c', 'cat; echo "$0" >&2; exit 7', "it's $HOME"];
    const { code, bytes, stderr } = await viv(command, input);
    assert.deepEqual([code, stderr], [7, "it's $HOME\n"]);
    assert.ok(bytes.equals(input), 'what came back is what was sent');
    assert.equal((await viv(['exec', MACHINE, 'sh', '-c', 'kill -9 $$'])).code, 137);
    assert.equal((await viv(['shell', MACHINE], 'exit 5\n')).code, 5);
  });

  test('does not wait for names that nobody has', async () => {
    assert.equal(await inGuest('timeout 3 getent ahosts UNKNOWN || echo "$?"'), '2\n');
  });

  test('costs next to nothing while it is idle', async () => {
    // systemd has a few things to do after a login is possible.
    await inGuest('systemctl is-system-running --wait || true');
    await sleep(20_000);
    const { pid } = JSON.parse((await viv(['inspect', MACHINE])).stdout);
    const before = cpuSeconds(pid);
    await sleep(20_000);
    const share = (cpuSeconds(pid) - before) / 20;
    assert.ok(share < 0.02, `${(share * 100).toFixed(1)} % of a core`);
  });

  test('keeps what a command leaves running, and a session whose command is out of memory', async () => {
    await inGuest('nohup sleep 1000 >/dev/null 2>&1 &');
    await inGuest('pkill -x sleep');
    const said = await inGuest(
      `python3 -c 'all = []
while True: all.append(bytearray(b"x" * 2 ** 24))' || echo "ended with $?"; dmesg -C`,
    );
    assert.equal(said, 'ended with 137\n');
  });

  test('takes and gives files and directories', async () => {
    const from = join(place, 'tree');
    const contents = randomBytes(100_000);
    mkdirSync(join(from, 'below'), { recursive: true });
    writeFileSync(join(from, 'below', 'a file'), contents, { mode: 0o600 });
    symlinkSync('below/a file', join(from, 'link'));
    const there = await viv(['cp', from, `${MACHINE}:/tmp`]);
    assert.deepEqual([there.code, there.stderr], [0, '']);
    const sum = createHash('sha256').update(contents).digest('hex');
    const seen = await inGuest("cd /tmp/tree; sha256sum link; stat -c %a 'below/a file'");
    assert.equal(seen, `${sum}  link\n600\n`);
    const back = await viv(['cp', `${MACHINE}:/tmp/tree`, join(place, 'back')]);
    assert.deepEqual([back.code, back.stderr], [0, '']);
    assert.deepEqual(readFileSync(join(place, 'back', 'link')), contents);
    const none = await viv(['cp', `${MACHINE}:/none`, place]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^viv: cannot copy \/none: .*No such file/);
  });

  test('python3 passes its own tests', async () => {
    const suites = 'test_json test_struct test_math test_zlib test_decimal test_long test_re';
    const said = await inGuest(`cd /tmp; python3 -m test -q ${suites} 2>&1 | tail -20`);
    assert.match(said, /Tests result: SUCCESS/);
  });

  test('gcc makes programs that compute what they should', async () => {
    const said = await inGuest(`cd /tmp
cat >sum.c <<'end'
#include <math.h>
#include <stdio.h>
int main(void) {
  double sum = 0;
  for (int i = 1; i <= 1000000; i++) sum += 1.0 / i / i;
  printf("%.12f\\n", sqrt(sum * 6));
  return 3;
}
end
for level in 0 2 3; do gcc -O$level -o sum sum.c -lm; ./sum && false || echo "$?"; done`);
    assert.equal(said, '3.141591698661\n3\n'.repeat(3));
  });

  test('sqlite3, openssl and perl work', async () => {
    const sqlite = await inGuest(`cd /tmp; sqlite3 test.db "
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x+1 from c where x<5000)
insert into t select x, hex(randomblob(20)) from c;
create index i on t(b);
delete from t where a % 3 = 0;
vacuum;
pragma integrity_check;
select count(*), sum(a) from t;"`);
    assert.equal(sqlite, 'ok\n3334|8336667\n');
    assert.match(await inGuest('openssl speed -seconds 1 -evp sha256 2>&1'), /^sha256 +\d/m);
    const perl = await inGuest(
      `perl -MDigest::SHA=sha256_hex -e 'my %h; $h{$_ % 97}++ for 1..50000;
print join(",", map {"$_$h{$_}"} sort keys %h) =~ /^0515,1516/ ? sha256_hex("a" x 9999) : "bad"'`,
    );
    assert.equal(perl, createHash('sha256').update('a'.repeat(9999)).digest('hex'));
  });

  test('git clones from a server of this host', async () => {
    git = await serveGit(join(place, 'git'));
    const said = await inGuest(`cd /tmp
git clone -q git://10.0.2.2:${git.port}/repository
cd repository; git fsck --full 2>/dev/null; git rev-parse HEAD; git status --short; ls | wc -l`);
    assert.equal(said, `${git.commit}\n50\n`);
  });

  for (const { serial } of DISKS) {
    test(`fio finds on the disk ${serial} what it wrote at random`, async () => {
      const disk = `$(lsblk -dno PATH,SERIAL | awk '$2 == "${serial}" { print $1 }')`;
      await inGuest(
        `fio --name=verify --filename="${disk}" --size=32M --direct=1 --ioengine=libaio --iodepth=16 \
--verify=crc32c --verify_fatal=1 --randseed=7 --rw=randwrite --bsrange=512-128k`,
      );
    });
  }

  test('iperf3 runs both ways through the user-mode network', async () => {
    using programs = unpackProgramPackages(['iperf3'], ['bin/iperf3']);
    const [command = '', ...words] = programs.command('bin/iperf3');
    const port = 20_000 + (process.pid % 20_000);
    server = spawn(command, [...words, '-s', '-B', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
    });
    for (const option of ['', '-R']) {
      const said = await inGuest(`iperf3 -c 10.0.2.2 -p ${port} -t 4 ${option}`);
      assert.match(said, /[1-9][\d.]* [KMG]bits\/sec +receiver/);
    }
    server.kill();
  });

  for (const [what, names] of Object.entries(STRESSORS)) {
    test(`withstands stress of ${what}`, async () => {
      const stressors = names.split(' ').map((name) => `--${name} 1`);
      const said = await inGuest(
        `cd /tmp; stress-ng ${stressors.join(' ')} ${STRESS_LIMITS} --verify -t ${STRESS_SECONDS} 2>&1`,
      );
      assert.match(said, /successful run completed/);
      assert.doesNotMatch(said, /fail/i);
    });
  }

  test('has nothing to complain about afterwards', async () => {
    const said = await inGuest('dmesg -l emerg,alert,crit,err; systemctl --failed --no-legend');
    assert.equal(said, '');
  });

  test('shuts down when asked, and keeps what was written', async () => {
    await inGuest('echo kept >/root/kept');
    const stopped = await viv(['stop', '--timeout', '300', MACHINE]);
    assert.deepEqual([stopped.code, stopped.stderr], [0, '']);
    const [entry] = JSON.parse((await viv(['ls', '--json'])).stdout);
    assert.deepEqual([entry.condition, entry.ended.code], ['ended', 0]);
    assert.match((await viv(['logs', MACHINE])).stdout, /reboot: Power down/);
    const raw = join(place, 'disk.raw');
    assert.equal((await viv(['disk', 'convert', image, raw])).code, 0);
    const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    const checked = spawnSync('e2fsck', ['-f', '-n', raw], { env: environment, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout);
    const kept = spawnSync('debugfs', ['-R', 'cat /root/kept', raw], { env: environment });
    assert.equal(String(kept.stdout), 'kept\n');
    for (const { file } of DISKS.filter((disk) => disk.file.endsWith('qcow2'))) {
      assert.equal((await viv(['disk', 'check', join(place, file)])).code, 0);
    }
  });

  test('iperf3 runs both ways between two machines of its image, on a switch', {
    timeout: PAIR_SECONDS * 1000,
  }, async () => {
    for (const { name } of [SERVER, CLIENT]) {
      const machine = ['--name', name, '--net', 'switch:lan', `${image},snapshot`];
      const { code, stderr } = await viv(['run', '-d', ...machine]);
      assert.equal(code, 0, stderr);
    }
    await Promise.all(
      [SERVER, CLIENT].map(({ name, address }) =>
        // networkd, which asks DHCP in vain, removes what was set before it took charge of the card.
        inGuest(
          `until card=$(networkctl --no-legend | awk '$5 == "configuring" { print $2 }' | grep .)
do sleep 0.2; done
ip addr add ${address}/24 dev "$card"`,
          name,
        ),
      ),
    );
    await inGuest(
      'iperf3 -s -D; until ss -Htln sport = :5201 | grep -q .; do sleep 0.2; done',
      SERVER.name,
    );
    for (const option of ['', '-R']) {
      const client = `iperf3 -c ${SERVER.address} -n ${IPERF_MIB}M -J ${option}`;
      const said = JSON.parse(await inGuest(`timeout 600 ${client}`, CLIENT.name));
      assert.equal(said.error, undefined);
      const { sum_sent: sent, sum_received: received } = said.end;
      console.log(`  ${(received.bits_per_second / 8 / MIB).toFixed(1)} MiB a second`);
      assert.ok(received.bits_per_second > 0);
      assert.ok(sent.bytes >= IPERF_MIB * MIB, `${sent.bytes} bytes`);
      const underWay = sent.bytes - received.bytes;
      assert.ok(underWay >= 0 && underWay <= UNDER_WAY_MIB * MIB, `${underWay} bytes under way`);
    }
    for (const { name } of [SERVER, CLIENT]) {
      assert.equal(await inGuest('dmesg -l emerg,alert,crit,err', name), '');
      assert.equal((await viv(['stop', '--timeout', '300', name])).code, 0);
    }
  });
});
