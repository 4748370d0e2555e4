/** Translated code that is kept between runs of the default guest. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { binViv, Session } from './session.ts';

/** The guest rests so long that something of what it ran is compiled for later. */
const REST_MILLISECONDS = 20_000;

/** Code is compiled for later by a thread that takes nobody's time. */
const skip = availableParallelism() < 2 && 'this host has no processor to spare';

describe('the code archive', { timeout: 600_000, skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-archive-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const archive = join(folder, 'code');
  const statistics = join(folder, 'statistics.json');
  const files = () =>
    readdirSync(archive, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.code'))
      .map((name) => join(archive, name));

  /** Boots, runs a command, rests, and powers off. The machine's statistics. */
  async function run(rest = 0): Promise<Record<string, number>> {
    const arguments_ = ['run', '--code-archive', archive, '--stats', statistics];
    await using session = new Session(binViv, arguments_);
    await session.expect('vivarium:~# ');
    const { text } = await session.run('seq 1000 | sha256sum');
    assert.match(text, /67d4ff71d43921d5/);
    await sleep(rest);
    session.process.stdin.write('poweroff\n');
    const { code, errors } = await session.ended;
    assert.deepEqual([code, errors], [0, '']);
    return JSON.parse(readFileSync(statistics, 'utf8'));
  }

  test('what a run has translated is kept while the guest rests', async () => {
    const { regionsAdopted } = await run(REST_MILLISECONDS);
    assert.equal(regionsAdopted, 0);
    assert.ok(files().length > 0);
  });

  test('a later run finds it', async () => {
    const { regionsAdopted } = await run();
    assert.ok(Number(regionsAdopted) > 50, `${regionsAdopted}`);
  });

  test('damaged files are as good as none', async () => {
    for (const path of files()) {
      const contents = readFileSync(path);
      const middle = contents.length >> 1;
      contents[middle] = (contents[middle] as number) ^ 1;
      writeFileSync(path, contents);
    }
    const { regionsAdopted } = await run();
    assert.equal(regionsAdopted, 0);
  });
});
