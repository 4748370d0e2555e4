import { parentPort } from 'node:worker_threads';
import { CodeFuzzer } from './round.ts';
import { CASES, type RoundAnswer } from './rounds.ts';

const fuzzer = new CodeFuzzer(['handlers', 'regions', 'ordered']);

parentPort?.on('message', (seed: number) => {
  const failures: string[] = [];
  for (let number = 0; number < CASES; number++) {
    try {
      const lines = fuzzer.round(seed, number);
      if (lines.length > 0) failures.push(lines.join('\n  '));
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failures.push(`case ${number} threw: ${text}`);
    }
  }
  parentPort?.postMessage({ seed, failures } satisfies RoundAnswer);
});
