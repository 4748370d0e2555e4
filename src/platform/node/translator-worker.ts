/** The entry of a machine's translator thread in Node: translates regions as they are asked for. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RegionCompiler } from '../../engine/mod.ts';
import {
  TRANSLATOR_WORDS,
  type TranslatorAnswer,
  type TranslatorMessage,
  type TranslatorStart,
} from './translator-thread.ts';

/** How often it looks for work, and how long without any until it rests. */
const LOOK_MILLISECONDS = 2;
const REST_AFTER_LOOKS = 250;

const { place, port, words: memory } = workerData as TranslatorStart;
const words = new Int32Array(memory);
const compiler = new RegionCompiler(place, () => performance.now() * 1e6);

for (let looks = 0; ; looks++) {
  if (looks >= REST_AFTER_LOOKS) Atomics.store(words, TRANSLATOR_WORDS.asleep, 1);
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) break;
    handle(received.message as TranslatorMessage);
    looks = 0;
  }
  const isResting = looks >= REST_AFTER_LOOKS;
  // What is posted from here on changes the word.
  Atomics.wait(
    words,
    TRANSLATOR_WORDS.asleep,
    isResting ? 1 : 0,
    isResting ? undefined : LOOK_MILLISECONDS,
  );
  if (isResting) looks = 0;
}

function handle(message: TranslatorMessage): void {
  if (message.kind === 'release') compiler.release(message.table);
  else if (message.kind === 'clear') compiler.clear();
  else {
    port.postMessage(answer(message));
    Atomics.add(words, TRANSLATOR_WORDS.answered, 1);
  }
}

function answer({ job }: Extract<TranslatorMessage, { kind: 'translate' }>): TranslatorAnswer {
  try {
    return compiler.compile(job);
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
