import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import type { Machine } from '../../client/mod.ts';
import { type Claim, ControlServer, Registry, sessionKey } from '../../daemon/mod.ts';
import { commandOf } from './command.ts';
import { copyWithGuest } from './cp.ts';
import { quoteWords } from './quote.ts';
import { runInGuest } from './run-in-guest.ts';
import { openSession } from './session.ts';
import { type FakeGuest, startFakeGuest } from './ssh-server.fixture.ts';

describe('commands that enter a guest', { timeout: 240_000 }, () => {
  const place = mkdtempSync(join(tmpdir(), 'vivarium-guest-'));
  const inside = join(place, 'inside');
  const stateBefore = process.env['XDG_STATE_HOME'];
  let guest: FakeGuest;
  const claims: Claim[] = [];
  const servers: ControlServer[] = [];

  /** A machine of which nothing is there but the ports that lead into it. */
  async function addMachine(name: string, hostPort?: number): Promise<void> {
    const facts = { background: false, directory: '/', boots: 'nothing', memory: '1M' };
    const claim = await new Registry().claim(name, facts, async (directory) => {
      servers.push(await ControlServer.listen(directory));
    });
    claims.push(claim);
    const port = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, guestPort: 22 };
    const machine = { ports: hostPort === undefined ? [] : [port] } as unknown as Machine;
    servers.at(-1)?.serve({ machine, record: claim.record });
  }

  before(async () => {
    process.env['XDG_STATE_HOME'] = join(place, 'state');
    mkdirSync(inside);
    guest = await startFakeGuest((await sessionKey()).publicKey, inside);
    await addMachine('guest', guest.port);
    await addMachine('closed');
  });
  after(() => {
    guest[Symbol.dispose]();
    for (const server of servers) server.close();
    for (const claim of claims) claim.forget();
    if (stateBefore === undefined) delete process.env['XDG_STATE_HOME'];
    else process.env['XDG_STATE_HOME'] = stateBefore;
    rmSync(place, { recursive: true, force: true });
  });

  async function run(command: string, input?: Uint8Array) {
    const client = await openSession('guest', 0);
    const gather = () => {
      const chunks: Buffer[] = [];
      const stream = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      });
      return { stream, bytes: () => Buffer.concat(chunks) };
    };
    const [output, errors] = [gather(), gather()];
    const source = input && Readable.from([input]).pipe(new PassThrough());
    const streams = { input: source, output: output.stream, errors: errors.stream };
    const code = await runInGuest(client, command, streams);
    client.destroy();
    return { code, output: output.bytes(), errors: errors.bytes().toString() };
  }

  test('give it input and take its output, byte by byte, and its exit code', async () => {
    const input = randomBytes(3_000_000);
    const { code, output, errors } = await run('cat; echo said >&2; exit 7', input);
    assert.deepEqual([code, errors], [7, 'said\n']);
    assert.ok(output.equals(input));
    assert.equal((await run('kill -TERM $$')).code, 143);
    assert.equal((await run('cat')).code, 0);
  });

  test('hand over every word as it is', async () => {
    const words = ['printf', '%s|', 'plain', '', 'two words', "it's", '$HOME', '*', 'a\nb', '-n'];
    const { output } = await run(quoteWords(words));
    assert.equal(output.toString(), `${words.slice(2).join('|')}|`);
  });

  test('take a command with and without "--" before it', () => {
    assert.deepEqual(commandOf(['ls', '--', '-l']), ['ls', '--', '-l']);
    assert.deepEqual(commandOf(['--', 'ls', '-l']), ['ls', '-l']);
    assert.throws(() => commandOf(['--']), { message: 'viv exec needs a command' });
  });

  test('copy files and directories both ways', async () => {
    const tree = join(place, 'tree');
    mkdirSync(join(tree, 'below'), { recursive: true });
    const contents = randomBytes(500_000);
    writeFileSync(join(tree, 'below', "it's"), contents);
    symlinkSync("below/it's", join(tree, 'link'));
    // To a new name, into a directory, and a single file.
    await copyWithGuest(tree, `guest:${inside}/new`, 0);
    await copyWithGuest(tree, `guest:${inside}`, 0);
    await copyWithGuest(join(tree, 'below', "it's"), 'guest:single', 0);
    for (const path of ['new/link', "tree/below/it's", 'single']) {
      assert.ok(readFileSync(join(inside, path)).equals(contents), path);
    }
    await copyWithGuest(`guest:${inside}/tree/`, join(place, 'back'), 0);
    await copyWithGuest('guest:single', place, 0);
    assert.ok(readFileSync(join(place, 'back', 'link')).equals(contents));
    assert.ok(readFileSync(join(place, 'single')).equals(contents));
  });

  test('say in one sentence what cannot be', async () => {
    const refusals: readonly (readonly [from: string, to: string, why: RegExp])[] = [
      [place, place, /one of FROM and TO must be MACHINE:PATH/],
      ['guest:a', 'guest:b', /one of FROM and TO must be/],
      [join(place, 'none'), 'guest:x', /there is no such file/],
      ['guest:none', place, /^cannot copy none: .*No such file/],
      ['guest:single', join(place, 'no', 'where'), /there is no .*no$/],
      [inside, 'guest:/nowhere/below', /^cannot copy to \/nowhere\/below: /],
      ['nobody:x', place, /there is no machine "nobody"/],
      ['closed:x', place, /^nothing leads to the SSH server/],
    ];
    for (const [from, to, why] of refusals) {
      await assert.rejects(copyWithGuest(from, to, 0), { message: why });
    }
  });

  test('are told that a guest does not know their key', async () => {
    const other = await sessionKey(join(place, 'other', 'machines'));
    using stranger = await startFakeGuest(other.publicKey, inside);
    await addMachine('stranger', stranger.port);
    await assert.rejects(openSession('stranger', 30), /does not know the key of this user/);
  });
});
