/** The thread of a `Syncer`: makes one file after the other durable. */
import { fdatasyncSync, fsyncSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { ControlBlock } from '../../machine-thread/control-block.ts';
import { ASKED, DATA_ONLY, DONE, FIRST_JOB, JOBS, type SyncWorkerStart } from './syncer.ts';

const EIO = 5;
const start = workerData as SyncWorkerStart;
const words = new Int32Array(start.words);
const control = start.control === undefined ? undefined : new ControlBlock(start.control);

for (let done = 0; ; done = (done + 1) | 0) {
  while (Atomics.load(words, ASKED) === done) Atomics.wait(words, ASKED, done);
  const slot = FIRST_JOB + 2 * ((done >>> 0) % JOBS);
  const job = Atomics.load(words, slot);
  Atomics.store(words, slot + 1, sync(job & ~DATA_ONLY, (job & DATA_ONLY) !== 0));
  Atomics.add(words, DONE, 1);
  Atomics.notify(words, DONE);
  control?.wake();
}

function sync(descriptor: number, dataOnly: boolean): number {
  try {
    if (dataOnly) fdatasyncSync(descriptor);
    else fsyncSync(descriptor);
    return 0;
  } catch (error) {
    return Math.abs((error as NodeJS.ErrnoException).errno ?? EIO);
  }
}
