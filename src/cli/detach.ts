import { startInBackground } from '../daemon/mod.ts';
import { EXIT_OK } from './exit-code.ts';

/** Runs this very command in the background; prints the machine's name when it runs. */
export async function detach(): Promise<number> {
  const [program, script] = process.argv as [string, string];
  const arguments_ = [...process.execArgv, script, ...process.argv.slice(2)];
  const start = await startInBackground([program, ...arguments_], (text) => {
    process.stderr.write(text);
  });
  if (start.kind === 'failed') return start.code;
  process.stdout.write(`${start.name}\n`);
  return EXIT_OK;
}
