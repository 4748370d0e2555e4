import { parentPort } from 'node:worker_threads';
import { CodeFuzzer } from './round.ts';
import { CASES, type RoundAnswer } from './rounds.ts';

const fuzzer = new CodeFuzzer(['handlers', 'regions', 'ordered']);

parentPort?.on('message', (seed: number) => {
  const failures: string[] = [];
  const attempt = (what: string, run: () => string[]) => {
    try {
      const lines = run();
      if (lines.length > 0) failures.push(lines.join('\n  '));
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failures.push(`${what} threw: ${text}`);
    }
  };
  for (let number = 0; number < CASES; number++)
    attempt(`case ${number}`, () => fuzzer.round(seed, number));
  attempt('cases again', () => fuzzer.again(seed, CASES).lines);
  parentPort?.postMessage({ seed, failures } satisfies RoundAnswer);
});
