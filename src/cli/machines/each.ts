import { VivariumError } from '../../util/mod.ts';
import { EXIT_OK, EXIT_USER } from '../exit-code.ts';
import { say } from '../messages.ts';

/** Does something with each machine, tells which of them it could not be done with, and prints the others. */
export async function forEachMachine(
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<number> {
  let code = EXIT_OK;
  const one = async (name: string): Promise<void> => {
    try {
      await work(name);
      process.stdout.write(`${name}\n`);
    } catch (error) {
      if (!(error instanceof VivariumError)) throw error;
      say(error.message);
      code = EXIT_USER;
    }
  };
  await Promise.all(names.map(one));
  return code;
}
