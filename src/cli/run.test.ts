import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type Outcome,
  SpawnedViv,
  spawnViv,
  spawnVivOnTerminal,
  Workplace,
} from './spawn-viv.fixture.ts';

const hasPseudoTerminals = spawnSync('script', ['--version']).status === 0;

describe('viv run', { timeout: 300_000 }, () => {
  test('hands standard input to the guest and only guest bytes to standard output', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel, '--cmdline', 'a b');
    viv.type('hello\npoweroff\n');
    const { code, stdout, stderr } = await viv.ended;
    assert.equal(stdout, 'booted with: a b\r\n# you said: hello\r\n# ');
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });

  test('goes on when standard input ends', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel, '--timeout', '0.6');
    viv.process.stdin.end('sleep 200\r');
    const { code, stdout, stderr } = await viv.ended;
    assert.match(stdout, /slept/);
    assert.match(stderr, /^viv: the machine was still running after 0.6 seconds\n$/);
    assert.equal(code, 124);
  });

  test("exits with the guest's own code on --debug-exit", async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel, '--debug-exit');
    viv.type('exit 21\n');
    assert.equal((await viv.ended).code, 43);
  });

  test('says where a triple fault happened and exits with 3', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', place.kernel, '--kernel', place.kernel);
    assert.match((await viv.ended).stderr, /not both/);
    const faulty = spawnViv('run', '--kernel', place.kernel);
    faulty.type('triple\n');
    const { code, stderr } = await faulty.ended;
    assert.match(stderr, /processor 0 .* triple fault at RIP 0x00000000ffff8000; .*#PF \(14\)/);
    assert.equal(code, 3);
  });

  test('writes a dump file and exits with 70 for a fault of its own', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel);
    viv.type('throw\n');
    const { code, stderr } = await viv.ended;
    assert.equal(code, 70);
    assert.match(stderr, /fault of Vivarium itself: the board broke/);
    const path = /details are in (\S+)/.exec(stderr)?.[1] as string;
    assert.match(readFileSync(path, 'utf8'), /the board broke[\s\S]*fake-board/);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    unlinkSync(path);
  });

  test('reboots the guest, and with --no-reboot exits instead', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel);
    viv.type('reboot\n');
    await viv.sees('booted with: \r\n# booted with');
    viv.type('poweroff\n');
    assert.equal((await viv.ended).code, 0);
    const single = spawnViv('run', '--kernel', place.kernel, '--no-reboot');
    single.type('reboot\n');
    const { code, stdout } = await single.ended;
    assert.equal(stdout, 'booted with: \r\n# ');
    assert.equal(code, 0);
  });

  test('prints statistics as one JSON object to standard error, or to a file', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel, '--stats');
    viv.type('poweroff\n');
    const { stderr } = await viv.ended;
    assert.ok(JSON.parse(stderr).instructions > 0);
    const path = join(place.path, 'stats.json');
    const filed = spawnViv('run', '--kernel', place.kernel, '--timeout', '0.2', '--stats', path);
    assert.equal((await filed.ended).code, 124);
    assert.ok(JSON.parse(readFileSync(path, 'utf8')).exits.halt >= 1);
  });

  test('writes all output before it exits, however much', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel);
    viv.type('print 2000000\npoweroff\n');
    const { code, stdout } = await viv.ended;
    assert.equal(stdout.length, 'booted with: \r\n# '.length + 2_000_000 + '\r\n# '.length);
    assert.equal(code, 0);
  });

  test('ends when standard output is closed', async () => {
    using place = new Workplace();
    const viv = spawnViv('run', '--kernel', place.kernel);
    await viv.sees('# ');
    viv.process.stdout.destroy();
    viv.type('print 100000\n');
    const { code, stderr } = await viv.ended;
    assert.equal(stderr, 'viv: standard output was closed; the machine is switched off\n');
    assert.equal(code, 1);
  });

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`ends on ${signal} with code ${expected}`, async () => {
      using place = new Workplace();
      const viv = spawnViv('run', '--kernel', place.kernel);
      viv.type('spin\n');
      await viv.sees('spinning');
      viv.process.kill(signal);
      assert.equal((await viv.ended).code, expected);
    });
  }

  test('--serial FILE gets the output, standard output stays empty', async () => {
    using place = new Workplace();
    const path = join(place.path, 'serial.log');
    const options = ['--kernel', place.kernel, '--serial', path, '--timeout', '0.3'];
    const { stdout } = await spawnViv('run', ...options).ended;
    assert.equal(stdout, '');
    assert.equal(readFileSync(path, 'latin1'), 'booted with: \r\n# ');
  });

  test('--serial none drops the output', async () => {
    using place = new Workplace();
    const options = ['--kernel', place.kernel, '--serial', 'none', '--timeout', '0.2'];
    const { code, stdout } = await spawnViv('run', ...options).ended;
    assert.equal(stdout, '');
    assert.equal(code, 124);
  });

  test('--serial unix:PATH serves one client after another and removes its socket', async () => {
    using place = new Workplace();
    const path = join(place.path, 'console');
    const viv = spawnViv('run', '--kernel', place.kernel, '--serial', `unix:${path}`);
    await until(() => existsSync(path));
    assert.match(await talk(path, 'one\r', 'you said: one\r\n# '), /^booted with: \r\n# /);
    assert.equal(await talk(path, 'two\r', 'two\r\n# '), 'you said: two\r\n# ');
    await talk(path, 'poweroff\r', undefined);
    assert.equal((await viv.ended).code, 0);
    assert.ok(!existsSync(path));
  });

  test('a socket that a dead process left is replaced, one in use is not', async () => {
    using place = new Workplace();
    const path = join(place.path, 'console');
    const options = ['run', '--kernel', place.kernel, '--serial', `unix:${path}`];
    const killed = spawnViv(...options);
    await until(() => existsSync(path));
    killed.process.kill('SIGKILL');
    await killed.ended;
    assert.ok(existsSync(path));
    const next = spawnViv(...options);
    await until(() => canConnect(path));
    const { code, stderr } = await spawnViv(...options).ended;
    assert.match(stderr, /^viv: cannot listen on .*: something listens there already\n$/);
    assert.equal(code, 1);
    next.process.kill('SIGTERM');
    assert.equal((await next.ended).code, 143);
  });

  const refusals: readonly [what: string, arguments_: string[], sentence: RegExp][] = [
    ['a missing kernel', ['--kernel', '/no/such/kernel'], /kernel \/no\/such\/kernel: there is no/],
    ['a directory as kernel', ['--kernel', '/tmp'], /kernel \/tmp: it is a directory/],
    ['a device as kernel', ['--kernel', '/dev/null'], /\/dev\/null: it is not a regular file/],
    ['a missing image', ['/no/such.iso'], /image \/no\/such.iso: there is no such file/],
    [
      'an image that nothing can be started from',
      ['/etc/passwd'],
      /\/etc\/passwd is neither a kernel nor a CD, and no boot loader/,
    ],
    ['too little memory', ['--kernel', '@', '--memory', '1M'], /at least 4 MiB/],
    ['memory that is no size', ['--kernel', '@', '--memory', 'lots'], /"lots" is not a size/],
    ['an unknown option', ['--frobnicate'], /unknown option '--frobnicate'/],
    ['an option without its value', ['--kernel'], /'--kernel <file>' argument missing/],
    ['an unknown engine', ['--engine', 'warp'], /'warp' is invalid. Allowed choices are auto/],
    ['a trace of nothing', ['--kernel', '@', '--trace', 'warm'], /trace: must be hottest/],
    ['a planned engine', ['--kernel', '@', '--engine', 'kvm'], /"kvm" is not there yet/],
    ['a timeout that is no number', ['--timeout', 'soon'], /'soon' is invalid/],
    ['firmware that is no file', ['--firmware', '/no/such/rom'], /no such file/],
    ['an unknown network', ['--net', 'bridge'], /"bridge" is no network/],
    ['a forward without a network', ['-p', '8080:80'], /-p needs a network/],
    [
      'a serial file that cannot be',
      ['--serial', '/no/such/file'],
      /serial output to \/no\/such\/file/,
    ],
    ['a serial socket that cannot be', ['--serial', 'unix:/no/such/socket'], /no such directory/],
    ['two images', ['a', 'b'], /too many arguments/],
  ];
  for (const [what, arguments_, sentence] of refusals) {
    test(`refuses ${what} in one sentence with code 1`, async () => {
      using place = new Workplace();
      const words = arguments_.map((word) => (word === '@' ? place.kernel : word));
      const before = readdirSync(place.path);
      const { code, stdout, stderr } = await spawnViv('run', ...words).ended;
      assert.match(stderr, sentence);
      assert.match(stderr, /^viv: [^\n]+\n$/);
      assert.equal(stdout, '');
      assert.equal(code, 1);
      assert.deepEqual(readdirSync(place.path), before);
    });
  }

  test('refuses a kernel that may not be read', { skip: process.getuid?.() === 0 }, async () => {
    const { code, stderr } = await spawnViv('run', '--kernel', '/etc/shadow').ended;
    assert.match(stderr, /permission denied/);
    assert.equal(code, 1);
  });

  test('refuses commands of later versions and unknown ones', async () => {
    assert.match(
      (await spawnViv('migrate', '-a').ended).stderr,
      /^viv: the command migrate is not there yet\n$/,
    );
    const { code, stderr } = await spawnViv('dance').ended;
    assert.match(stderr, /^viv: unknown command 'dance'/);
    assert.equal(code, 1);
  });

  test('prints help and version on standard output', async () => {
    const help = await spawnViv('run', '--help').ended;
    assert.equal(help.code, 0);
    for (const name of [
      'kernel',
      'initrd',
      'cmdline',
      'memory',
      'cpus',
      'serial',
      'console',
      'engine',
      'debug-exit',
      'no-reboot',
      'timeout',
      'stats',
    ]) {
      assert.match(help.stdout, new RegExp(`--${name}\\b`));
    }
    const version = await spawnViv('--version').ended;
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal(version.code, 0);
  });
});

describe('viv run on a terminal', { timeout: 300_000, skip: !hasPseudoTerminals }, () => {
  const leaving: readonly [how: string, keys: string][] = [
    ['Ctrl-] twice', '\x1d\x1d'],
    ['~. after a newline', 'x\r~.'],
  ];
  for (const [how, keys] of leaving) {
    test(`${how} leaves, and the terminal is as before`, async () => {
      using place = new Workplace();
      const viv = spawnVivOnTerminal('run', '--kernel', place.kernel);
      await viv.sees('# ');
      viv.type(keys);
      const outcome = await viv.ended;
      assert.match(outcome.stdout, /left the machine; it is switched off/);
      assert.match(outcome.stdout, /code 0/);
      assertRestored(outcome);
    });
  }

  test('Ctrl-C goes to the guest', async () => {
    using place = new Workplace();
    const viv = spawnVivOnTerminal('run', '--kernel', place.kernel);
    await viv.sees('# ');
    viv.type('a\x03b\r');
    await viv.sees('you said: a\x03b');
    viv.type('poweroff\r');
    const outcome = await viv.ended;
    assert.match(outcome.stdout, /code 0/);
    assertRestored(outcome);
  });

  test('the terminal is as before after a fault, a triple fault, and a dead thread', async () => {
    using place = new Workplace();
    for (const [keys, code] of [
      ['throw\r', 70],
      ['triple\r', 3],
      ['leave\r', 70],
    ] as const) {
      const viv = spawnVivOnTerminal('run', '--kernel', place.kernel);
      await viv.sees('# ');
      viv.type(keys);
      const outcome = await viv.ended;
      assert.match(outcome.stdout, new RegExp(`code ${code}`));
      assertRestored(outcome);
      const dump = /details are in (\S+)/.exec(outcome.stdout)?.[1];
      if (dump !== undefined) unlinkSync(dump);
    }
  });

  test('the terminal is as before after a signal', async () => {
    using place = new Workplace();
    const viv = spawnVivOnTerminal('run', '--kernel', place.kernel);
    await viv.sees('# ');
    const [pid] = processesOf(place.kernel, 'fake-viv');
    process.kill(pid as number, 'SIGTERM');
    const outcome = await viv.ended;
    assert.match(outcome.stdout, /code 143/);
    assertRestored(outcome);
  });

  test('goes when the older Node that started it is killed', async () => {
    using place = new Workplace();
    const parent = `
      const { spawn } = require('node:child_process');
      const stdio = ['pipe', 'inherit', 'inherit', 'ipc'];
      spawn(process.execPath, process.argv.slice(1), { stdio });
    `;
    const fakeViv = new URL('./fake-viv.fixture.ts', import.meta.url).pathname;
    const arguments_ = ['-e', parent, fakeViv, 'run', '--kernel', place.kernel];
    const viv = new SpawnedViv(process.execPath, arguments_);
    await viv.sees('# ');
    viv.process.kill('SIGKILL');
    await until(() => processesOf(place.kernel, 'fake-viv').length === 0);
  });

  test('a terminal that closes ends the machine', async () => {
    using place = new Workplace();
    const viv = spawnVivOnTerminal('run', '--kernel', place.kernel);
    await viv.sees('# ');
    viv.process.kill('SIGKILL');
    await viv.ended;
    await until(() => processesOf(place.kernel, 'fake-viv').length === 0);
  });
});

/** Processes of Node whose arguments contain both words. */
function processesOf(...words: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program = '', ...rest] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return /node$/.test(program) && words.every((word) => rest.join(' ').includes(word));
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Waits for a condition, but not for ever. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 10_000; !(await condition()); ) {
    assert.ok(performance.now() < end, `still waiting: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** `stty` said the same before and after. */
function assertRestored({ stdout }: Outcome): void {
  assert.deepEqual(stdout.match(/^-?icanon/gm), ['icanon', 'icanon']);
}

/** Sends text to a socket and returns what came back up to `until`, or up to the end. */
function talk(path: string, text: string, until: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let seen = '';
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      seen += bytes;
      if (until !== undefined && seen.includes(until)) socket.end();
    });
    socket.on('close', () => resolve(seen));
    socket.write(text);
  });
}

function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
