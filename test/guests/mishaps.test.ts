/**
 * A guest to which things happen, in this order: its allow-list is empty, its host's disk is full, and
 * its machine is killed. It talks on a virtio console. One boot for all.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from './default-guest/network.ts';
import { expectSuccess, hostTool, noDiskTools, vivCommand } from './host-tools.ts';
import { Workplace } from './images.ts';
import { runViv, type Session } from './session.ts';

const MIB = 2 ** 20;
const BLOCK = 16_384;
const BLOCKS = 4096;
const isRoot = process.getuid?.() === 0;

describe('a guest in trouble', { timeout: 600_000, skip: noDiskTools }, () => {
  const place = new Workplace();
  const small = join(place.path, 'small');
  const onSmall = join(small, 'disk.qcow2');
  const images = { vda: onSmall, nvme0n1: join(place.path, 'nvme.qcow2') };
  let guest: Session;

  before(async () => {
    mkdirSync(small);
    if (isRoot) expectSuccess(hostTool('mount', '-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', small));
    expectSuccess(vivCommand('disk', 'create', images.vda, '64M', '--cluster-size', '4K'));
    expectSuccess(vivCommand('disk', 'create', images.nvme0n1, '64M', '--cluster-size', '4K'));
    guest = runViv([
      ...['--console', 'virtio', '--net', 'user,allow='],
      ...['--disk', images.vda, '--disk', `${images.nvme0n1},bus=nvme`, '--timeout', '580'],
    ]);
    await guest.expect('vivarium:~# ');
  });
  after(async () => {
    await guest?.[Symbol.asyncDispose]();
    if (isRoot) hostTool('umount', small);
    place[Symbol.dispose]();
  });

  test('talks on a virtio console', async () => {
    assert.equal((await guest.run('tty')).text, '/dev/hvc0\n');
  });

  test('has random numbers', async () => {
    const { text } = await guest.run(
      'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=32 count=1 2>/dev/null | sha256sum',
    );
    assert.match(text, /^virtio_rng\.0\n/);
    const zeroes = '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925';
    assert.ok(!text.includes(zeroes));
  });

  test('reaches nothing when its allow-list is empty', async () => {
    const web = createServer((_, response) => response.end('secret\n'));
    const port = await listen(web, '127.0.0.1');
    const { text } = await guest.run(
      `wget -q -O - http://10.0.2.2:${port}/ 2>&1; nslookup example.org`,
    );
    web.close();
    assert.match(text, /Connection refused/);
    assert.match(text, /REFUSED|can't resolve/i);
    assert.doesNotMatch(text, /secret/);
  });

  test('waits, with a message, while the disk of the host is full', {
    skip: !isRoot && 'root is needed to make a small disk',
  }, async () => {
    const other = join(small, 'other');
    writeFileSync(other, new Uint8Array(74 * MIB));
    guest.send(
      'dd if=/dev/zero bs=1M count=12 2>/dev/null | tr "\\0" x | dd of=/dev/vda bs=1M conv=fsync 2>/dev/null',
    );
    while (!guest.errors.includes('disk is full')) await sleep(50);
    assert.match(guest.errors, /the machine waits until there is room for .*disk\.qcow2/);
    rmSync(other);
    assert.equal((await guest.result()).status, 0);
    assert.match(guest.errors, /there is room .* again: the machine goes on/);
  });

  test('loses nothing that it had flushed when it is killed, and leaves valid images', async () => {
    // Block i of 16 KiB, at place 37 i mod 4096, is full of the text of i.
    guest.type(
      `i=0; while :; do i=$((i+1)); yes "block $i" | head -c ${BLOCK} >/tmp/b; ` +
        `for d in vda nvme0n1; do dd if=/tmp/b of=/dev/$d bs=${BLOCK} seek=$((i*37%${BLOCKS})) ` +
        'conv=fsync,notrunc 2>/dev/null || break 2; done; echo "flushed $i."; done\n',
    );
    for (let count = 0; count < 25; count++) await guest.expect(/flushed \d+\./);
    guest.process.kill('SIGKILL');
    await guest.ended;
    const flushed = Math.max(
      ...[...guest.output.matchAll(/flushed (\d+)\./g)].map(([, i]) => Number(i)),
    );
    for (const image of Object.values(images)) expectBlocks(image, flushed);
  });

  /** An image is valid, and holds the blocks from 1 to `last`. */
  function expectBlocks(image: string, last: number): void {
    const { status, text } = hostTool('qemu-img', 'check', image);
    assert.ok(status === 0 || status === 3, text); // 3: clusters that are taken for nothing
    const copy = join(place.path, 'copy.raw');
    expectSuccess(hostTool('qemu-img', 'convert', '-O', 'raw', image, copy));
    const bytes = readFileSync(copy);
    for (let block = 1; block <= last; block++) {
      const at = ((block * 37) % BLOCKS) * BLOCK;
      const line = `block ${block}\n`;
      const should = line.repeat(Math.ceil(BLOCK / line.length)).slice(0, BLOCK);
      assert.equal(bytes.toString('latin1', at, at + BLOCK), should, `block ${block}`);
    }
    expectSuccess(vivCommand('disk', 'check', image, '--repair'));
    expectSuccess(hostTool('qemu-img', 'check', image));
  }
});

test('a port of the host that is taken is told in one sentence', { timeout: 600_000 }, async () => {
  const taken = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  await using viv = runViv(['--net', 'user', '-p', `${port}:80`]);
  const { code, errors, output } = await viv.ended;
  taken.close();
  assert.equal(code, 1);
  assert.match(
    errors,
    new RegExp(`^viv: TCP port ${port} of 127.0.0.1 is in use already[^\n]*\n$`),
  );
  assert.equal(output, '');
});
