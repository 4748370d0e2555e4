/**
 * A guest that is killed at random moments while it works in journalling file systems, and is started again, and killed
 * again: QEMU's check of the images and the file systems' own find nothing wrong, and no file is lost that was flushed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generator } from '../disks/random.ts';
import { expectSuccess, hostTool, noDiskTools, vivCommand } from '../guests/host-tools.ts';
import { Workplace } from '../guests/images.ts';
import { runViv, type Session } from '../guests/session.ts';

const PATIENCE = 600;
const LIVES = 4;
/** The guest keeps so many of the files that it wrote last. */
const KEPT = 12;
const seed = Number(process.env['VIVARIUM_SEED'] ?? Date.now() % 2 ** 31);

const disks = [
  { device: 'vda', file: 'virtio.qcow2', options: '' },
  { device: 'vdb', file: 'virtio.img', options: '' },
  { device: 'nvme0n1', file: 'nvme.qcow2', options: ',bus=nvme' },
  { device: 'nvme1n1', file: 'front.qcow2', options: ',bus=nvme' },
] as const;

/** What file `number` holds. */
const contents = (number: number) => {
  const line = `file ${number}\n`;
  const bytes = 1 + ((number * 7919) % 150_000);
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes);
};

describe(`a guest that is killed (seed ${seed})`, {
  timeout: 3_000_000,
  skip: noDiskTools,
}, () => {
  const place = new Workplace();
  const path = (name: string) => join(place.path, name);
  const random = generator(seed);
  /** by device: the number of the file that was flushed last */
  const flushed = new Map<string, number>();

  after(() => place[Symbol.dispose]());

  test('finds its file systems on fresh images', () => {
    expectSuccess(hostTool('truncate', '-s', '96M', path('virtio.img')));
    expectSuccess(hostTool('/sbin/mke2fs', '-q', '-F', '-t', 'ext4', path('virtio.img')));
    for (const name of ['virtio.qcow2', 'nvme.qcow2', 'base.qcow2']) {
      expectSuccess(vivCommand('disk', 'convert', path('virtio.img'), path(name)));
    }
    const small = ['--cluster-size', '4K'];
    expectSuccess(
      vivCommand('disk', 'create', path('front.qcow2'), '--backing', 'base.qcow2', ...small),
    );
  });

  for (let life = 1; life <= LIVES; life++) {
    test(`keeps what it flushed when it is killed, time ${life}`, async () => {
      await using guest = runViv([
        ...disks.flatMap(({ file, options }) => ['--disk', `${path(file)}${options}`]),
        ...['--timeout', '1200'],
      ]);
      await guest.expect('vivarium:~# ', PATIENCE);
      await work(guest);
      await sleep(random(3000));
      guest.process.kill('SIGKILL');
      await guest.ended;
      for (const [, device = '', number] of guest.output.matchAll(/flushed (\w+) (\d+)\./g)) {
        flushed.set(device, Math.max(flushed.get(device) ?? 0, Number(number)));
      }
      for (const { device, file } of disks) expectSound(device, file);
    });
  }

  /** Lets the guest write, and remove, file after file; returns when some of them are flushed. */
  async function work(guest: Session): Promise<void> {
    for (const { device } of disks) {
      const { text, status } = await guest.run(
        `mkdir -p /m/${device} && mount -t ext4 /dev/${device} /m/${device}`,
      );
      assert.equal(status, 0, text);
    }
    // What some disks have already is written to them once more.
    const first = Math.min(...disks.map(({ device }) => flushed.get(device) ?? 0));
    const devices = disks.map(({ device }) => device).join(' ');
    guest.type(
      `i=${first}; while :; do i=$((i+1)); for d in ${devices}; do yes "file $i" | ` +
        'head -c $((1+i*7919%150000)) | dd of=/m/$d/new bs=64k conv=fsync 2>/dev/null && ' +
        `mv /m/$d/new /m/$d/$i && rm -f /m/$d/$((i-${KEPT})) && sync && ` +
        'echo "flushed $d $i."; done; done\n',
    );
    const enough = first + 5 + random(20);
    await guest.expect(new RegExp(`flushed ${disks.at(-1)?.device} ${enough}\\.`), PATIENCE);
  }

  function expectSound(device: string, file: string): void {
    if (file.endsWith('qcow2')) {
      const { status, text } = hostTool('qemu-img', 'check', path(file));
      assert.ok(status === 0 || status === 3, text); // 3: clusters that are taken for nothing
    }
    const raw = path('copy.raw');
    const format = file.endsWith('qcow2') ? 'qcow2' : 'raw';
    expectSuccess(hostTool('qemu-img', 'convert', '-f', format, '-O', 'raw', path(file), raw));
    // The journal is replayed, as the guest will do; then there is nothing left to find.
    const replayed = hostTool('/sbin/e2fsck', '-p', raw);
    assert.ok(replayed.status === 0 || replayed.status === 1, replayed.text);
    expectSuccess(hostTool('/sbin/e2fsck', '-fn', raw));
    const found = mkdtempSync(path('found-'));
    expectSuccess(hostTool('/sbin/debugfs', '-R', `rdump / ${found}`, raw));
    const last = flushed.get(device) ?? 0;
    // The next file may be written already, and the first of these removed for it.
    for (let number = Math.max(1, last - KEPT + 2); number <= last; number++) {
      const bytes = readFileSync(join(found, String(number)), 'latin1');
      assert.ok(bytes === contents(number), `${device}: file ${number}`);
    }
    rmSync(found, { recursive: true });
  }
});
