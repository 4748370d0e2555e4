import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Machine, MachineFault, type MachineOptions, type VivariumError } from './mod.ts';

const boardModule = new URL('../platform/machine-thread/fake-board.fixture.ts', import.meta.url)
  .href;

function create(options: MachineOptions = {}): Promise<Machine> {
  return Machine.create({ kernel: Uint8Array.of(1), cmdline: 'hello', boardModule, ...options });
}

describe('Machine', { timeout: 300_000 }, () => {
  test('starts, talks on its console, and ends when the guest powers off', async () => {
    await using machine = await create();
    assert.equal(machine.state, 'created');
    await machine.start();
    assert.equal(machine.state, 'running');
    const greeting = await machine.console.waitFor('# ');
    assert.equal(greeting, 'booted with: hello\r\n# ');
    await machine.console.write('what a day\r');
    assert.equal(await machine.console.waitFor('# '), 'you said: what a day\r\n# ');
    await machine.console.write('poweroff\r');
    assert.deepEqual(await machine.wait(), { kind: 'shutdown' });
    assert.equal(machine.state, 'ended');
    assert.ok((await machine.stats()).instructions > 0);
  });

  test('asks the guest to shut down when the power button is pressed', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.waitFor('# ');
    await machine.pressPowerButton();
    assert.deepEqual(await machine.wait(), { kind: 'shutdown' });
    await assert.rejects(machine.pressPowerButton(), /has ended/);
  });

  test('waitFor leaves what comes after the match to the next reader', async () => {
    await using machine = await create();
    await machine.start();
    assert.equal(await machine.console.waitFor(/b[o]+/), 'boo');
    assert.equal(await machine.console.waitFor(': '), 'ted with: ');
    await machine.console.write('poweroff\n');
    assert.equal(await machine.console.waitFor('never'), undefined);
  });

  test('lines() gives whole lines, and the rest when the machine ends', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('grüße\rpoweroff\r');
    const lines = [];
    for await (const line of machine.console.lines()) lines.push(line);
    assert.equal(lines[0], 'booted with: hello');
    assert.equal(lines.at(-1), '# ');
    assert.equal(lines.length, 3);
  });

  test('a guest that prints faster than its reader reads waits for the reader', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('print 3000000\rpoweroff\r');
    let bytes = 0;
    for await (const chunk of machine.console) {
      bytes += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(bytes > 3_000_000);
    assert.deepEqual(await machine.wait(), { kind: 'shutdown' });
  });

  test('a guest that prints with nobody reading is not held up, and the latest output is kept', async () => {
    await using machine = await create();
    await machine.start();
    for (let count = 0; count < 20; count++) await machine.console.write('print 100000\r');
    await machine.console.write('the end\rpoweroff\r');
    await machine.wait();
    assert.ok((await machine.console.waitFor('the end'))?.endsWith('you said: the end'));
  });

  test('input longer than the ring arrives whole and in order', async () => {
    await using machine = await create();
    await machine.start();
    const text = Array.from({ length: 30_000 }, (_, index) => String(index)).join(',');
    await machine.console.write(`${text}\r`);
    const answer = await machine.console.waitFor(/you said: [\d,]+\r/);
    assert.ok(answer?.endsWith(`you said: ${text}\r`));
  });

  test('pause stops the guest and its clock, resume lets it go on', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.waitFor('# ');
    await machine.console.write('spin\r');
    await machine.console.waitFor('spinning');
    await machine.pause();
    assert.equal(machine.state, 'paused');
    const before = await machine.stats();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = await machine.stats();
    assert.equal(after.instructions, before.instructions);
    assert.equal(after.guestSeconds, before.guestSeconds);
    await machine.resume();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const later = await machine.stats();
    assert.ok(later.instructions > after.instructions);
    assert.ok(later.guestSeconds > after.guestSeconds);
  });

  test('an idle guest wakes at its own deadline, not before', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.waitFor('# ');
    const start = performance.now();
    await machine.console.write('sleep 200\r');
    await machine.console.waitFor('slept');
    const took = performance.now() - start;
    assert.ok(took >= 199, `${took} ms`);
    assert.ok((await machine.stats()).instructions < 50_000);
  });

  test('a guest reset starts the machine again with its counters kept', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('one\rreboot\r');
    const output = await machine.console.waitFor(/you said: one[\s\S]*booted with: hello\r\n# /);
    assert.ok(output !== undefined);
    assert.equal((await machine.stats())['resets'], 1);
    await machine.console.write('poweroff\r');
    assert.deepEqual(await machine.wait(), { kind: 'shutdown' });
  });

  test('reset() starts the machine again; with noReboot a guest reset ends it', async () => {
    await using machine = await create({ noReboot: true });
    await machine.start();
    await machine.console.waitFor('# ');
    await machine.reset();
    await machine.console.waitFor('booted');
    await machine.console.write('reboot\r');
    assert.deepEqual(await machine.wait(), { kind: 'reset' });
  });

  test('stop() ends a busy guest, and a second stop does nothing', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('spin\r');
    await machine.console.waitFor('spinning');
    await machine.stop();
    await machine.stop();
    assert.deepEqual(await machine.wait(), { kind: 'stopped' });
    assert.ok((await machine.stats()).instructions > 0);
    await assert.rejects(machine.start(), { code: 'machine-ended' });
    await assert.rejects(machine.console.write('x'), { code: 'machine-ended' });
  });

  test('stop() ends a thread that no longer looks at its commands', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('hang\r');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await machine.stop();
    assert.deepEqual(await machine.wait(), { kind: 'stopped' });
  });

  test('a triple fault and a debug exit are ends with their details', async () => {
    await using faulty = await create();
    await faulty.start();
    await faulty.console.write('triple\r');
    const end = await faulty.wait();
    assert.equal(end.kind, 'triple-fault');
    assert.equal(end.kind === 'triple-fault' && end.rip, 0xffff_8000n);
    await using exiting = await create({ debugExit: true });
    await exiting.start();
    await exiting.console.write('exit 21\r');
    assert.deepEqual(await exiting.wait(), { kind: 'debug-exit', code: 43 });
  });

  test('an exception in the board is a fault of ours with its place, not a hang', async () => {
    await using machine = await create();
    await machine.start();
    await machine.console.write('throw\r');
    await assert.rejects(machine.wait(), (error: MachineFault) => {
      assert.ok(error instanceof MachineFault);
      assert.equal(error.message, 'the board broke');
      assert.match(error.detail, /fake-board/);
      assert.match(error.detail, /"instructions"/);
      return true;
    });
  });

  test('a thread that dies without a word is a fault of ours', async () => {
    await using machine = await create();
    await machine.start();
    const waiting = assert.rejects(machine.wait(), MachineFault);
    await machine.console.write('leave\r');
    await waiting;
    await assert.rejects(machine.stats(), { code: 'machine-ended' });
  });

  const refusals: readonly [what: string, options: MachineOptions, sentence: RegExp][] = [
    [
      'a kernel path that leads nowhere',
      { kernel: '/no/such' },
      /kernel \/no\/such: there is no such/,
    ],
    ['a directory as kernel', { kernel: '/' }, /it is a directory/],
    ['an initial RAM disk that is missing', { initrd: '/no/ram' }, /RAM disk \/no\/ram/],
    ['what the board refuses', { kernel: new Uint8Array() }, /the kernel is empty/],
    ['a packed kernel, unpacked', { kernel: gzipSync('') }, /the kernel is empty/],
    ['a processor that is none', { cpu: '486' }, /cpu: unknown processor "486"/],
    ['too little memory', { memory: '1M' }, /at least 4 MiB/],
    ['memory that is no size', { memory: 'lots' }, /"lots" is not a size/],
    ['memory of no whole pages', { memory: 4097 }, /multiple of 4 KiB/],
    ['two processors', { cpus: 2 }, /not there yet/],
    ['no processor', { cpus: 0 }, /at least one/],
    ['an engine that is planned', { engine: 'kvm' }, /"kvm" is not there yet/],
    ['an engine that is not', { engine: 'warp' as 'auto' }, /"warp" is no engine/],
    ['an unknown option', { colour: 'red' } as MachineOptions, /no option "colour"/],
    ['a number as command line', { cmdline: 5 as unknown as string }, /cmdline: must be text/],
  ];
  for (const [what, options, sentence] of refusals) {
    test(`create() refuses ${what} in one sentence`, async () => {
      await assert.rejects(create(options), (error: VivariumError) => {
        assert.equal(error.name, 'VivariumError');
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }

  test("the caller's images stay the caller's", async () => {
    const kernel = Uint8Array.of(1, 2, 3);
    await using machine = await create({ kernel });
    await machine.stop();
    assert.deepEqual([...kernel], [1, 2, 3]);
  });
});
