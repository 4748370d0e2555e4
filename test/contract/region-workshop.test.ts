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
import { CodeMachine, SlowWorkshop } from '../fuzz/code/code-machine.ts';
import { kernelCode } from '../fuzz/code/kernel-code.ts';
import { CODE } from '../fuzz/code/layout.ts';

/** Jobs of an engine that never gets an answer, and where they belong. */
function collectJobs(): { jobs: RegionJob[]; place: WorkshopPlace } {
  const jobs: RegionJob[] = [];
  const places: WorkshopPlace[] = [];
  const machine = new CodeMachine('ordered', (place) => {
    places.push(place);
    const submit = (job: RegionJob): void => void jobs.push(job);
    return { submit, take: () => undefined, release() {}, clear() {} };
  });
  for (const start of [CODE, CODE + 2]) {
    // inc ecx; cmp ecx, 100; jne back; hlt
    const { image, enter } = kernelCode([[CODE, 'ffc181f96400000075f6f4']], start);
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
