/** Disks and networks under the programs that people test them with: fio and iperf3. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hasPackageTools } from '../../bench/image/debian.ts';
import { type Programs, unpackProgramPackages } from '../../bench/image/program-archive.ts';
import { defaultGuest } from '../../src/platform/node/mod.ts';
import { Workplace } from '../guests/images.ts';
import { binViv, runViv, type Session } from '../guests/session.ts';

const MIB = 2 ** 20;
const DISK_MIB = 64;
const PATIENCE = 600;
/** The name of the switch; tests that run at the same time do not meet. */
const SWITCH = `test-${process.pid}`;

const disks = [
  { name: 'virtio, raw', device: 'vda', file: 'virtio.img', options: '' },
  { name: 'virtio, qcow2', device: 'vdb', file: 'virtio.qcow2', options: '' },
  { name: 'NVMe, raw', device: 'nvme0n1', file: 'nvme.img', options: ',bus=nvme' },
  { name: 'NVMe, qcow2', device: 'nvme1n1', file: 'nvme.qcow2', options: ',bus=nvme' },
] as const;

/** Everything that is written is read back and its checksum compared. */
const job = (device: string, ...more: readonly string[]) =>
  [
    `fio --name=verify --filename=/dev/${device} --size=${DISK_MIB / 2}M --direct=1`,
    '--ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --randseed=7 --group_reporting',
    ...more,
  ].join(' ');

const isAble = process.platform === 'linux' && hasPackageTools();

describe('fio and iperf3', { timeout: 3_000_000, skip: isAble ? false : 'needs apt' }, () => {
  const place = new Workplace();
  let programs: Programs;
  let boot: readonly string[];
  let server: ChildProcess;
  let serverPort: number;

  before(async () => {
    programs = unpackProgramPackages(['fio', 'iperf3'], ['bin/fio', 'bin/iperf3']);
    const guest = await defaultGuest();
    boot = [
      ...['--kernel', place.file('kernel', guest.kernel), '--cmdline', guest.cmdline],
      ...['--initrd', place.file('initrd', programs.addTo(guest.initrd))],
      ...['--memory', '768M', '--timeout', '2900'],
    ];
    serverPort = 20_000 + (process.pid % 20_000);
    const [command = '', ...words] = programs.command('bin/iperf3');
    server = spawn(command, [...words, '-s', '-B', '127.0.0.1', '-p', String(serverPort)], {
      stdio: 'ignore',
    });
  });

  after(() => {
    server.kill();
    programs[Symbol.dispose]();
    place[Symbol.dispose]();
  });

  const environment = { XDG_STATE_HOME: join(place.path, 's') };
  const start = (words: readonly string[]) => runViv([...boot, ...words], { environment });
  const run = async (guest: Session, line: string) => {
    const { text, status } = await guest.run(line, PATIENCE);
    assert.equal(status, 0, text);
    return text;
  };

  describe('one machine', () => {
    let guest: Session;

    before(async () => {
      const words = disks.flatMap(({ file, options }) => {
        const path = join(place.path, file);
        const made = spawnSync(process.execPath, [binViv, 'disk', 'create', path, `${DISK_MIB}M`]);
        assert.equal(made.status, 0, made.stderr.toString());
        return ['--disk', `${path}${options}`];
      });
      guest = start([...words, '--net', 'user']);
      await guest.expect('vivarium:~# ', PATIENCE);
    });

    after(async () => {
      await guest[Symbol.asyncDispose]();
    });

    for (const { name, device } of disks) {
      test(`fio finds on ${name}, what it wrote at random`, async () => {
        await run(guest, job(device, '--rw=randwrite', '--bsrange=512-128k', '--bs_unaligned=0'));
        await run(guest, job(device, '--rw=randrw', '--bs=4k', '--io_size=4M', '--trim_backlog=0'));
      });

      test(`fio finds on ${name}, what it wrote in a row, after it was flushed`, async () => {
        await run(guest, job(device, '--rw=write', '--bs=1M', '--fsync=8'));
      });
    }

    for (const [direction, option] of [
      ['up', ''],
      ['down', '-R'],
    ] as const) {
      test(`iperf3 runs ${direction} through the user-mode network`, async () => {
        const text = await run(guest, `iperf3 -c 10.0.2.2 -p ${serverPort} -t 4 ${option}`);
        assert.ok(rateOf(text) > 0, text);
      });
    }

    test('the images are sound afterwards', async () => {
      guest.type('poweroff\n');
      assert.equal((await guest.ended).code, 0);
      for (const { file } of disks.filter((disk) => disk.file.endsWith('qcow2'))) {
        const check = spawnSync(process.execPath, [
          binViv,
          'disk',
          'check',
          join(place.path, file),
        ]);
        assert.equal(check.status, 0, check.stdout.toString());
      }
      for (const { file } of disks.filter((disk) => disk.file.endsWith('img'))) {
        truncateSync(join(place.path, file));
      }
    });
  });

  test('iperf3 runs both ways between two machines on a switch', async () => {
    await using one = start(['--net', `switch:${SWITCH}`]);
    await one.expect('vivarium:~# ', PATIENCE);
    await using other = start(['--net', `switch:${SWITCH}`]);
    await other.expect('vivarium:~# ', PATIENCE);
    for (const [guest, address] of [
      [one, '10.77.0.1'],
      [other, '10.77.0.2'],
    ] as const) {
      await run(guest, `ip addr add ${address}/24 dev eth0 && ip link set eth0 up`);
    }
    await run(one, 'iperf3 -s -D && sleep 1');
    for (const option of ['', '-R']) {
      const text = await run(other, `iperf3 -c 10.77.0.1 -t 4 ${option}`);
      assert.ok(rateOf(text) > 0, text);
    }
    // The other one goes; a third finds the first.
    other.type('poweroff\n');
    await other.ended;
    await using third = start(['--net', `switch:${SWITCH}`]);
    await third.expect('vivarium:~# ', PATIENCE);
    await run(third, 'ip addr add 10.77.0.3/24 dev eth0 && ip link set eth0 up');
    await run(third, 'ping -c 3 -W 5 10.77.0.1');
  });
});

/** What iperf3 says at the end: bits a second that have arrived. */
function rateOf(text: string): number {
  const match = /([\d.]+) ([KMG]?)bits\/sec\s+receiver/.exec(text);
  const unit = { '': 1, K: 1e3, M: 1e6, G: 1e9 }[match?.[2] ?? ''] ?? 0;
  const rate = Number(match?.[1] ?? 0) * unit;
  console.log(`  ${(rate / 8 / MIB).toFixed(1)} MiB a second`);
  return rate;
}
