/** The entry of the command `viv`; `bin/viv` calls it under a Node that is new enough. */
import { VivariumError } from '../util/mod.ts';
import { EXIT_FAULT, EXIT_USER } from './exit-code.ts';
import { dumpFault } from './fault-dump.ts';
import { say } from './messages.ts';
import { runProgram } from './program.ts';
import type { RunSettings } from './run.ts';

/** Runs `viv` with these arguments and ends the process with its exit code. */
export async function viv(arguments_: string[], settings: RunSettings = {}): Promise<never> {
  const fail = (error: unknown): never => {
    if (error instanceof VivariumError) {
      say(error.message);
      process.exit(EXIT_USER);
    }
    say(dumpFault(error, arguments_));
    process.exit(EXIT_FAULT);
  };
  process.on('uncaughtException', fail);
  // With a terminal goes the place for messages: what cannot be said is not a fault.
  process.stderr.on('error', () => {});
  try {
    return process.exit(await runProgram(arguments_, settings));
  } catch (error) {
    return fail(error);
  }
}
