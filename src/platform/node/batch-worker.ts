/** The entry of a machine's thread for batches in Node: compiles modules as they come, and keeps them. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import type { BatchAnswer, BatchOrder, BatchStart } from './batch-thread.ts';
import { keepModule } from './code-archive/archive-folder.ts';

/** The guest comes first where there is one processor for both. */
const NICENESS = 10;

const { port, answered, folder } = workerData as BatchStart;
const count = new Int32Array(answered);
yieldToOthers();

port.on('message', (order: BatchOrder) => {
  if (order.kind === 'handlers') {
    void keepHandlers(order);
    return;
  }
  const { kind, bytes, regions } = order;
  const answer = compile(bytes);
  port.postMessage(answer);
  Atomics.add(count, 0, 1);
  if (folder !== undefined && 'module' in answer)
    keepModule(folder, { kind, regions }, bytes, answer.module);
});

function compile(bytes: Uint8Array<ArrayBuffer>): BatchAnswer {
  try {
    return { module: new WebAssembly.Module(bytes) };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function keepHandlers({
  kind,
  surroundings,
  keys,
}: Extract<BatchOrder, { kind: 'handlers' }>): Promise<void> {
  if (folder === undefined) return;
  // Batches need none of it.
  const [{ buildHandlerModule, handlerShape }, { buildOpcodeTable, instructions }] =
    await Promise.all([import('../../engine/mod.ts'), import('../../x86/mod.ts')]);
  const { encodings } = buildOpcodeTable(instructions);
  const shapes = [...keys].map((key) => handlerShape(key, encodings));
  const made = buildHandlerModule(surroundings, shapes, true);
  const description = { kind, keys: made.keys, indexes: made.indexes };
  keepModule(folder, description, made.bytes, new WebAssembly.Module(made.bytes));
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
