import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { askMachineJson } from './control-client.ts';
import { ControlServer } from './control-server.ts';
import { checkName, makeName } from './machine-name.ts';
import { type Claim, type MachineFacts, Registry } from './registry.ts';

const place = mkdtempSync(join(tmpdir(), 'vivarium-registry-'));
after(() => rmSync(place, { recursive: true, force: true }));
let count = 0;

interface Running {
  readonly claim: Claim;
  readonly server: ControlServer;
}

function facts(background = false): MachineFacts {
  return { background, directory: '/', boots: 'a kernel', memory: '512M' };
}

async function start(registry: Registry, name?: string, background = false): Promise<Running> {
  let server: ControlServer | undefined;
  const claim = await registry.claim(name, facts(background), async (directory) => {
    server = await ControlServer.listen(directory);
  });
  return { claim, server: server as ControlServer };
}

/** As when the process of a machine is killed: nothing is tidied. */
function die({ server }: Running): void {
  server.close();
}

function newRegistry(): Registry {
  return new Registry(join(place, String(count++)));
}

describe('the registry of machines', () => {
  test('finds a machine that runs, and forgets one on a terminal when it ends', async () => {
    const registry = newRegistry();
    const running = await start(registry, 'web');
    assert.deepEqual(
      (await registry.list()).map((entry) => entry.record.name),
      ['web'],
    );
    assert.equal((await registry.find('web')).condition, 'running');
    running.server.close();
    running.claim.end(0);
    assert.deepEqual(await registry.list(), []);
    await assert.rejects(registry.find('web'), { code: 'machine-unknown' });
  });

  test('keeps its directory for its user alone', async () => {
    const registry = newRegistry();
    mkdirSync(registry.directory, { mode: 0o755 });
    const running = await start(registry);
    assert.equal(statSync(registry.directory).mode & 0o777, 0o700);
    assert.equal(statSync(running.claim.directory).mode & 0o777, 0o700);
    die(running);
  });

  test('gives a name to one machine at a time, also when many ask at once', async () => {
    const registry = newRegistry();
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => start(registry, 'one')));
    const winners = tries.filter((each) => each.status === 'fulfilled');
    assert.equal(winners.length, 1);
    for (const each of tries) {
      if (each.status === 'rejected') assert.match(String(each.reason), /"one" runs already/);
    }
    assert.deepEqual(readdirSync(registry.directory), ['one']);
    for (const { value } of winners) die(value);
  });

  test('notices that a machine on a terminal is dead, and gives its name away', async () => {
    const registry = newRegistry();
    die(await start(registry, 'gone'));
    assert.deepEqual(await registry.list(), []);
    die(await start(registry, 'gone'));
    const next = await start(registry, 'gone');
    assert.equal((await registry.find('gone')).record.id, next.claim.record.id);
    die(next);
  });

  test('keeps what a machine in the background left until it is removed', async () => {
    const registry = newRegistry();
    const running = await start(registry, 'job', true);
    running.server.close();
    running.claim.end(3);
    const lost = await start(registry, 'lost', true);
    die(lost);
    const [job, other] = await registry.list();
    assert.deepEqual([job?.condition, job?.record.ended?.code], ['ended', 3]);
    assert.equal(other?.condition, 'lost');
    await assert.rejects(start(registry, 'job'), /forget it with viv rm job/);
    await registry.remove(await registry.find('job'));
    assert.ok(!existsSync(running.claim.directory));
    // Removed by two at once, and taken by a third in between, it stays with the third.
    const entry = await registry.find('lost');
    await registry.remove(entry);
    const third = await start(registry, 'lost');
    await registry.remove(entry);
    assert.equal((await registry.find('lost')).record.id, third.claim.record.id);
    die(third);
  });

  test('reaches machines in a directory with a path too long for a socket', async () => {
    const registry = new Registry(join(place, 'd'.repeat(60), 'e'.repeat(60)));
    mkdirSync(registry.directory, { recursive: true });
    const running = await start(registry, 'deep');
    const entry = await registry.find('deep');
    assert.equal(entry.condition, 'running');
    await assert.rejects(askMachineJson(entry, 'GET /'), /still being made ready/);
    die(running);
  });

  test('is not led astray by what else lies in its directory', async () => {
    const registry = newRegistry();
    mkdirSync(join(registry.directory, 'odd'), { recursive: true });
    writeFileSync(join(registry.directory, 'odd', 'machine.json'), '{"version":1,"name":7}');
    writeFileSync(join(registry.directory, 'file'), '');
    assert.deepEqual(await registry.list(), []);
    await assert.rejects(
      registry.claim('../x', facts(), async () => {}),
      { code: 'name-invalid' },
    );
  });

  test('a machine whose socket cannot be made leaves nothing', async () => {
    const registry = newRegistry();
    const failing = registry.claim('x', facts(), () => Promise.reject(new Error('no socket')));
    await assert.rejects(failing, /no socket/);
    assert.deepEqual(readdirSync(registry.directory), []);
  });
});

test('names that are made up are names', () => {
  for (let at = 0; at < 1; at += 0.01) checkName(makeName(() => at));
  for (const name of ['', '.', '..', '-d', 'a/b', 'a b', 'x'.repeat(64)]) {
    assert.throws(() => checkName(name), { code: 'name-invalid' });
  }
});
