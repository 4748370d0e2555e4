/** The entry of a machine's thread for batches in Node: compiles modules as they come. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import type { BatchAnswer, BatchOrder, BatchStart } from './batch-thread.ts';
import { keepBatch } from './code-archive/archive-folder.ts';

/** The guest comes first where there is one processor for both. */
const NICENESS = 10;

const { port, answered, folder } = workerData as BatchStart;
const count = new Int32Array(answered);
yieldToOthers();

port.on('message', ({ bytes, regions }: BatchOrder) => {
  const answer = compile(bytes);
  port.postMessage(answer);
  Atomics.add(count, 0, 1);
  if (folder !== undefined && 'module' in answer) keepBatch(folder, regions, bytes, answer.module);
});

function compile(bytes: Uint8Array<ArrayBuffer>): BatchAnswer {
  try {
    return { module: new WebAssembly.Module(bytes) };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Linux has priorities for each thread. */
function yieldToOthers(): void {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
    setPriority(Number(thread), NICENESS);
  } catch {
    // Elsewhere it is a thread like others.
  }
}
