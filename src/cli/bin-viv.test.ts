import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const binViv = fileURLToPath(new URL('../../bin/viv', import.meta.url));
const olderNode = findOlderNode();

function findOlderNode(): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  return places
    .flatMap((place) => globSync(join(place, 'node')))
    .find((node) => {
      const major = /^v(\d+)/.exec(spawnSync(node, ['--version']).stdout?.toString() ?? '')?.[1];
      return major !== undefined && Number(major) >= 18 && Number(major) < 24;
    });
}

describe('bin/viv', { timeout: 300_000 }, () => {
  test('prints no warnings', () => {
    const { status, stderr } = spawnSync(process.execPath, [binViv, '--version']);
    assert.equal(stderr.toString(), '');
    assert.equal(status, 0);
  });

  const skip = olderNode === undefined && 'no older Node on this machine';

  test('hands arguments, streams and exit code on when started by an older Node', { skip }, () => {
    const { status, stdout, stderr } = spawnSync(olderNode as string, [binViv, '--version']);
    assert.match(stdout.toString(), /^\d+\.\d+\.\d+\n$/);
    assert.equal(stderr.toString(), '');
    assert.equal(status, 0);
    const refused = spawnSync(olderNode as string, [binViv, 'run', '--frobnicate']);
    assert.match(refused.stderr.toString(), /unknown option/);
    assert.equal(refused.status, 1);
  });

  test('hands signals on when started by an older Node', { skip }, async () => {
    const child = spawn(olderNode as string, [imitation(), 'wait'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [143, null]);
  });

  test('says which Node it needs when it finds none', { skip }, () => {
    const path = imitation();
    unlinkSync(join(path, '..', '..', 'node_modules'));
    const { status, stderr } = spawnSync(olderNode as string, [path]);
    assert.match(stderr.toString(), /^viv: Node \S+ is too old; Vivarium needs Node 24 or later/);
    assert.equal(status, 1);
  });
});

/** A checkout in which `viv` only waits for a signal; returns its `bin/viv`. */
function imitation(): string {
  const root = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  after(() => rmSync(root, { recursive: true }));
  for (const folder of ['bin', 'src/cli']) mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['viv', 'package.json']) {
    copyFileSync(join(dirname(binViv), name), join(root, 'bin', name));
  }
  symlinkSync(
    fileURLToPath(new URL('../../node_modules', import.meta.url)),
    join(root, 'node_modules'),
  );
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(root, 'src', 'cli', 'main.ts'),
    `
    export function viv(): void {
      process.on('SIGTERM', () => process.exit(143));
      setInterval(() => process.stdout.write('waiting'), 10);
    }
  `,
  );
  return join(root, 'bin', 'viv');
}
