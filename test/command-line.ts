/** The command line of programs that test for long: `--help` tells what they take, a slip of the pen ends in one sentence. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** What was given. Does not return for `--help` and for what the program does not take. */
export function readCommandLine<const T extends ParseArgsConfig>(
  help: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** A number that is not negative; `what` names it. */
export function readNumber(text: string, what: string): number {
  const number = Number(text);
  if (text.trim() !== '' && number >= 0 && Number.isFinite(number)) return number;
  return refuse(`${what} is to be a number, not "${text}"`);
}

function refuse(sentence: string): never {
  console.error(`${sentence.replace(/\.$/, '')}; --help tells more.`);
  process.exit(1);
}
