import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLAIN_FRAME } from '../../../bus/mod.ts';
import { SwitchPort } from '../../../net/mod.ts';
import { FakeLink, pattern } from '../../../net/test-kit.fixture.ts';
import { NodeClock } from './node-clock.ts';
import { SwitchDirectory } from './switch-directory.ts';

let place: string;
const open: SwitchDirectory[] = [];

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'viv-switch-'));
});
afterEach(() => {
  for (const directory of open.splice(0)) directory.close();
  rmSync(place, { recursive: true, force: true });
});

async function machine(number: number) {
  const link = new FakeLink();
  link.offloads = { checksum: true, tcp4: true, tcp6: true };
  const id = number.toString(16).padStart(16, '0');
  const port = new SwitchPort({ id, link, clock: new NodeClock() });
  const directory = new SwitchDirectory(join(place, 'lan'), port);
  open.push(directory);
  await directory.open();
  const mac = [0x52, 0x54, 0, 0, 0, number];
  const send = (to: readonly number[] | undefined, bytes: number) => {
    const frame = pattern(bytes);
    frame.set(to ?? [255, 255, 255, 255, 255, 255]);
    frame.set(mac, 6);
    port.receive(frame, PLAIN_FRAME);
    port.settled();
  };
  return { link, port, directory, mac, send };
}

async function until(condition: () => boolean): Promise<void> {
  for (let wait = 0; !condition(); wait++) {
    assert.ok(wait < 1000, 'it never comes');
    await sleep(5);
  }
}

test('switch: machines that come together all meet, and frames find their way', async () => {
  const machines = await Promise.all([1, 2, 3, 4].map((number) => machine(number)));
  await until(() => machines.every(({ port }) => port.peers.length === 3));
  const [one, two, , four] = machines as [Machine, Machine, Machine, Machine];
  one.send(undefined, 60);
  await until(() => machines.every(({ link }, index) => link.sent.length === (index ? 1 : 0)));
  four.send(one.mac, 65_000);
  await until(() => one.link.sent.length === 1);
  assert.equal(one.link.sent[0]?.frame.length, 65_000);
  assert.equal(two.link.sent.length, 1);
});
type Machine = Awaited<ReturnType<typeof machine>>;

test('switch: one leaves, another comes, the rest go on', async () => {
  const one = await machine(1);
  const two = await machine(2);
  await until(() => one.port.peers.length === 1);
  two.directory.close();
  await until(() => one.port.peers.length === 0);
  await until(() => readdirSync(join(place, 'lan')).length === 1);
  const three = await machine(3);
  await until(() => one.port.peers.length === 1 && three.port.peers.length === 1);
  three.send(undefined, 100);
  await until(() => one.link.sent.length === 1);
});

test('switch: its directory is for its user alone, and what the dead left is removed', async () => {
  const one = await machine(1);
  assert.equal(statSync(join(place, 'lan')).mode & 0o777, 0o700);
  const [old, young] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'].map((id) => {
    const path = join(place, 'lan', `${id}.sock`);
    writeFileSync(path, ''); // nobody listens there
    return path;
  }) as [string, string];
  utimesSync(old, 0, 0);
  const two = await machine(2);
  await until(() => two.port.peers.length === 1 && one.port.peers.length === 1);
  await until(() => !existsSync(old));
  assert.ok(existsSync(young), 'it may be about to listen');
});

test('switch: a place that cannot be used is said in one sentence', async () => {
  writeFileSync(join(place, 'lan'), '');
  await assert.rejects(machine(1), { code: 'switch-unavailable', message: /there is such a file/ });
  place = join(place, 'x'.repeat(120));
  await assert.rejects(machine(2), { code: 'switch-unavailable', message: /longer than 107/ });
});
