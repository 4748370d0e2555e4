import { writeFileSync } from 'node:fs';
import { type MachineStats, VivariumError, why } from '../client/mod.ts';

/** Writes statistics as one JSON object: to standard error, or to a file. */
export function writeStats({ trace: _, ...stats }: MachineStats, where: true | string): void {
  const text = JSON.stringify(stats, (_, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  write(`${text}\n`, 'the statistics', where);
}

/** Writes what `--trace` asked for: to standard error, or to a file. */
export function writeTrace({ trace }: MachineStats, where: string | undefined): void {
  const text = typeof trace === 'string' ? trace : 'This engine translates nothing.\n';
  write(text, 'the trace', where ?? true);
}

function write(text: string, what: string, where: true | string): void {
  if (where === true) {
    process.stderr.write(text);
    return;
  }
  try {
    writeFileSync(where, text);
  } catch (error) {
    const message = `cannot write ${what} to ${where}: ${why(error)}`;
    throw new VivariumError('stats-unwritable', message, { cause: error });
  }
}
