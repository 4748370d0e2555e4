/** What a machine does on the edges of its life, told by a kernel of one page. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Workplace } from './images.ts';
import { buildKernel, cannotBuild } from './kernels/build.ts';
import { binViv, engineArguments, quote, runViv, runVivOnTerminal, Session } from './session.ts';

describe('a multiboot kernel', { timeout: 600_000, skip: cannotBuild }, () => {
  const place = new Workplace();
  let kernel: string;

  before(() => {
    kernel = buildKernel('monitor', place.path);
  });
  after(() => place[Symbol.dispose]());

  test('exits with (N << 1) | 1 on --debug-exit', async () => {
    await using viv = runViv([kernel, '--debug-exit']);
    viv.type('e!');
    const { code, output, errors } = await viv.ended;
    assert.equal(output, 'monitor\n');
    assert.equal(errors, '');
    assert.equal(code, (0x21 << 1) | 1);
  });

  test('goes on after a write to the debug exit port without --debug-exit', async () => {
    await using viv = runViv(['--kernel', kernel, '--timeout', '1']);
    viv.type('e!');
    assert.equal((await viv.ended).code, 124);
  });

  for (const engine of ['bt', 'eager', 'interp']) {
    test(`finds its memory, and in none of it what it did not write, with ${engine}`, async () => {
      const options = ['--kernel', kernel, '--memory', '40M', '--debug-exit'];
      await using viv = runViv([...options, ...engineArguments(engine)]);
      viv.type('me0');
      const { code, output } = await viv.ended;
      assert.equal(output, 'monitor\nM');
      assert.equal(code, 0x61);
    });
  }

  test('a trace of what it ran is written at the end', async () => {
    const trace = join(place.path, 'trace');
    const options = ['--kernel', kernel, '--memory', '40M', '--debug-exit', '--stats'];
    await using viv = runViv([...options, '--trace', 'hottest=2', '--trace-file', trace]);
    viv.type('me0');
    const { code, errors } = await viv.ended;
    assert.equal(code, 0x61);
    assert.match(readFileSync(trace, 'utf8'), /^Where instructions were spent.* at regions\):\n/);
    assert.equal(JSON.parse(errors).trace, undefined, 'statistics stay one line');
  });

  for (const [name, letter] of [
    ['port 0xcf9', 'r'],
    ['the keyboard controller', 'k'],
  ]) {
    test(`a reset by ${name} starts it again, and with --no-reboot ends it`, async () => {
      await using viv = runViv(['--kernel', kernel, '--debug-exit']);
      await viv.expect('monitor\n');
      viv.type(`${letter}`);
      await viv.expect('monitor\n', 20);
      viv.type('e\0');
      assert.equal((await viv.ended).code, 1);
      await using single = runViv(['--kernel', kernel, '--no-reboot']);
      single.type(`${letter}`);
      const { code, output, errors } = await single.ended;
      assert.equal(output, 'monitor\n');
      assert.equal(errors, '');
      assert.equal(code, 0);
    });
  }

  test('a triple fault is reported with its place, and exits with 3', async () => {
    await using viv = runViv(['--kernel', kernel]);
    viv.type('t');
    const { code, output, errors } = await viv.ended;
    assert.equal(code, 3);
    assert.equal(output, 'monitor\n', 'what the guest printed before is not lost');
    const [first] = errors.split('\n') as [string];
    assert.match(first, /^viv: the guest's processor 0 stopped on a triple fault/);
    assert.match(first, new RegExp(`RIP 0x${faultAddress(kernel)}\\b`));
    assert.match(first, /last exception was #\w+ \(\d+\)/);
    assert.match(errors, /^RIP [0-9a-f]{16} /m);
    assert.match(errors, /^CR0 [0-9a-f]{16} /m);
  });

  for (const [state, letter] of [
    ['halts', 'h'],
    ['loops', 'l'],
  ]) {
    test(`--timeout ends a guest that ${state} with 124`, async () => {
      await using viv = runViv(['--kernel', kernel, '--timeout', '2']);
      viv.type(`${letter}`);
      const { code, errors, seconds } = await viv.ended;
      assert.equal(code, 124);
      assert.equal(errors, 'viv: the machine was still running after 2 seconds\n');
      assert.ok(seconds < 20, `${seconds} s`);
    });
  }

  test('a guest that halts costs no processor time', async () => {
    const stats = join(place.path, 'stats.json');
    await using viv = runViv(['--kernel', kernel, '--timeout', '4', '--stats', stats]);
    viv.type('h');
    await viv.ended;
    const { hostSeconds, hostCpuSeconds } = JSON.parse(readFileSync(stats, 'utf8'));
    assert.ok(hostSeconds > 3.5);
    assert.ok(hostCpuSeconds < 2.5, `${hostCpuSeconds} s of processor time`);
  });

  test('a file for statistics that cannot be written is said, and exits with 1', async () => {
    await using viv = runViv([kernel, '--debug-exit', '--stats', '/no/such/place']);
    viv.type('e!');
    const { code, errors } = await viv.ended;
    assert.match(errors, /^viv: cannot write the statistics to \/no\/such\/place: [^\n]+\n$/);
    assert.equal(code, 1);
  });

  const noTerminal = spawnSync('script', ['--version']).status !== 0 && 'no program `script`';
  test('a terminal closed in the middle is said, and ends the machine with 1', {
    skip: noTerminal,
  }, async () => {
    const errors = join(place.path, 'errors');
    const leftovers = join(place.path, 'tmp');
    mkdirSync(leftovers);
    // The shell outlives its terminal to tell the exit code.
    const viv = [process.execPath, binViv, 'run', '--kernel', kernel].map(quote).join(' ');
    const script = `trap : HUP; echo "pid $$"; ${viv} 2>${quote(errors)}; echo "$?" >${quote(`${errors}.code`)}`;
    const environment = { TMPDIR: leftovers };
    const session = new Session('script', ['-qc', `sh -c ${quote(script)}`, '/dev/null'], {
      environment,
    });
    const shell = Number((await session.expect(/pid (\d+)/))[1]);
    await session.expect('monitor');
    session.type('l');
    await sleep(200);
    session.process.kill('SIGKILL');
    for (let count = 0; count < 100 && isAlive(shell); count++) await sleep(100);
    assert.ok(!isAlive(shell), 'viv outlived its terminal');
    assert.equal(readFileSync(`${errors}.code`, 'utf8'), '1\n');
    const said = readFileSync(errors, 'utf8');
    assert.match(said, /^\n?viv: the terminal was closed; the machine is switched off\n$/);
    assert.deepEqual(readdirSync(leftovers), [], 'nothing left behind');
  });

  test('a terminal closed in the middle takes standard error along', {
    skip: noTerminal,
  }, async () => {
    const leftovers = join(place.path, 'tmp-2');
    mkdirSync(leftovers);
    const viv = runVivOnTerminal(['--kernel', kernel], { environment: { TMPDIR: leftovers } });
    const processId = Number((await viv.expect(/pid (\d+)/))[1]);
    await viv.expect('monitor');
    viv.type('l');
    await sleep(200);
    assert.ok(isAlive(processId));
    viv.process.kill('SIGKILL');
    for (let count = 0; count < 100 && isAlive(processId); count++) await sleep(100);
    assert.ok(!isAlive(processId), 'viv outlived its terminal');
    assert.deepEqual(readdirSync(leftovers), [], 'no dump file of a fault that is none');
  });
});

/** Where the label `fault` is, as 16 hexadecimal digits; the instruction that faults is next. */
function faultAddress(kernel: string): string {
  const symbols = spawnSync('nm', [kernel]).stdout.toString();
  const address = Number.parseInt(/^([0-9a-f]+) \w fault$/m.exec(symbols)?.[1] as string, 16);
  const LIDT_BYTES = 7;
  return (address + LIDT_BYTES).toString(16).padStart(16, '0');
}

function isAlive(processId: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${processId}/status`, 'utf8'));
  } catch {
    return false;
  }
}
