/** What every batch compiler does with the modules it is given. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchCompiler } from '../../src/engine/mod.ts';
import { BatchThread } from '../../src/platform/node/batch-thread.ts';
import { constantModule, constantOf } from '../../src/wasm/constant-module.fixture.ts';
import { CodeMachine, SlowBatchCompiler } from '../fuzz/code/code-machine.ts';
import { BUDGET, makeStart } from '../fuzz/code/round.ts';

async function next(compiler: BatchCompiler): Promise<WebAssembly.Module> {
  for (;;) {
    const module = compiler.take();
    if (module !== undefined) return module;
    await sleep(1);
  }
}

const compilers = {
  'the slow compiler of the tests': () => ({
    compiler: new SlowBatchCompiler() as BatchCompiler,
    close() {},
  }),
  "a thread's": () => {
    const compiler = BatchThread.start(undefined, 2) as BatchThread;
    return { compiler: compiler as BatchCompiler, close: () => compiler.close() };
  },
};

for (const [name, open] of Object.entries(compilers)) {
  describe(name, { timeout: 60_000 }, () => {
    const { compiler, close } = open();
    after(close);

    test('it has nothing before it was asked', () => {
      assert.equal(compiler.take(), undefined);
    });

    test('it delivers each module once', async () => {
      for (const value of [7, 8]) {
        compiler.submit(constantModule(value), []);
        assert.equal(constantOf(await next(compiler)), value);
        assert.equal(compiler.take(), undefined);
      }
    });

    test('it says what is wrong with a module', async () => {
      compiler.submit(Uint8Array.of(0, 1, 2, 3), []);
      await assert.rejects(next(compiler), /WebAssembly|CompileError/);
    });
  });
}

test('a host without a processor to spare has no thread for it', () => {
  assert.equal(BatchThread.start(undefined, 1), undefined);
});

test('an engine has compiled by it what stays in use', () => {
  const machine = new CodeMachine('ordered');
  for (let number = 0; number < 20; number++) {
    const { image, enter } = makeStart(77, number);
    machine.run(image, enter, BUDGET);
  }
  assert.ok(Number(machine.vcpu.stats()['regionsBatched']) > 0);
});
