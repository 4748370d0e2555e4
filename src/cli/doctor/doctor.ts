import { EXIT_OK, EXIT_USER } from '../exit-code.ts';
import { type Check, examineHost, type Verdict } from './checks.ts';

const MARKS: Readonly<Record<Verdict, string>> = { good: '✓', limited: '!', bad: '✗' };

/** `viv doctor`: returns 1 when no machine can run here. */
export async function examine({ json }: { readonly json: boolean }): Promise<number> {
  const checks = await examineHost();
  process.stdout.write(json ? `${JSON.stringify(checks, undefined, 2)}\n` : format(checks));
  return checks.some(({ verdict }) => verdict === 'bad') ? EXIT_USER : EXIT_OK;
}

/** One line for each check, its advice below. */
export function format(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .map(({ name, verdict, found, advice }) => {
      const line = `${MARKS[verdict]} ${name.padEnd(width)}  ${found}\n`;
      return advice === undefined ? line : `${line}  ${' '.repeat(width)}  ${advice}\n`;
    })
    .join('');
}
