/** What every workshop does with the regions it is asked for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  RegionJob,
  RegionProduct,
  RegionWorkshop,
  WorkshopPlace,
} from '../../src/engine/mod.ts';
import { TranslatorThread } from '../../src/platform/node/translator-thread.ts';
import type { CpuState } from '../../src/x86/mod.ts';
import { CS, STATE } from '../../src/x86/state.ts';
import { CodeMachine, SlowWorkshop } from '../fuzz/code/code-machine.ts';
import { CODE, FAULTS_LEFT, RAM_BYTES } from '../fuzz/code/layout.ts';
import { worlds } from '../fuzz/code/worlds.ts';
import { Random } from '../oracle/random.ts';

/** Jobs of an engine that never gets an answer, and where they belong. */
function collectJobs(): { jobs: RegionJob[]; place: WorkshopPlace } {
  const jobs: RegionJob[] = [];
  const places: WorkshopPlace[] = [];
  const machine = new CodeMachine('ordered', (place) => {
    places.push(place);
    const submit = (job: RegionJob): void => void jobs.push(job);
    return { submit, take: () => undefined, release() {}, clear() {} };
  });
  const world = worlds.find(({ name }) => name === '64-bit kernel code');
  assert.ok(world);
  const image = new Uint8Array(RAM_BYTES);
  world.write(image, new Random(1, 1));
  image[FAULTS_LEFT] = 1;
  // inc ecx; cmp ecx, 100; jne back; hlt
  image.set(Buffer.from('ffc181f96400000075f6f4', 'hex'), CODE);
  for (const start of [CODE, CODE + 2]) {
    const enter = (state: CpuState): void => {
      world.enter(state, new Random(1, 1));
      state.setFlags(2);
      state.setGpr(1, 0n);
      state.set64(STATE.rip, BigInt(start) - state.segmentBase(CS));
    };
    machine.run(image, enter, 1000);
  }
  return { jobs, place: places[0] as WorkshopPlace };
}

const { jobs, place } = collectJobs();

async function next(workshop: RegionWorkshop): Promise<RegionProduct> {
  for (;;) {
    const product = workshop.take();
    if (product !== undefined) return product;
    await sleep(1);
  }
}

const workshops = {
  'the slow workshop of the tests': () => ({
    workshop: new SlowWorkshop(place) as RegionWorkshop,
    close() {},
  }),
  "a thread's": () => {
    const workshop = TranslatorThread.start(place, 4) as TranslatorThread;
    return { workshop: workshop as RegionWorkshop, close: () => workshop.close() };
  },
};

for (const [name, open] of Object.entries(workshops)) {
  describe(name, { timeout: 60_000 }, () => {
    const { workshop, close } = open();
    const order = (job: RegionJob): void =>
      workshop.submit({ ...job, numbers: job.numbers.slice() });
    const [first, second] = jobs as [RegionJob, RegionJob];
    let made: RegionProduct;

    test('it delivers what was asked for, in order', async () => {
      assert.equal(workshop.take(), undefined);
      order(first);
      order(second);
      const products = [await next(workshop), await next(workshop)] as const;
      assert.deepEqual(
        products.map(({ id }) => id),
        [first.id, second.id],
      );
      for (const { module, bytes, exits, table } of products) {
        assert.ok(module instanceof WebAssembly.Module);
        assert.ok(bytes > 100 && exits.length > 0 && table.at >= place.tables);
      }
      assert.notEqual(products[0].table.at, products[1].table.at);
      assert.equal(workshop.take(), undefined);
      made = products[0];
    });

    test('a table that was released is used again', async () => {
      workshop.release(made.table);
      order(first);
      assert.equal((await next(workshop)).table.at, made.table.at);
    });

    test('it begins anew when everything was dropped', async () => {
      workshop.clear();
      order(second);
      assert.equal((await next(workshop)).table.at, place.tables);
      close();
    });
  });
}
