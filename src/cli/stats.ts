import { writeFileSync } from 'node:fs';
import { type MachineStats, VivariumError, why } from '../client/mod.ts';

/** Writes statistics as one JSON object: to standard error, or to a file. */
export function writeStats(stats: MachineStats, where: true | string): void {
  const text = `${JSON.stringify(stats, (_, value) => (typeof value === 'bigint' ? Number(value) : value))}\n`;
  if (where === true) {
    process.stderr.write(text);
    return;
  }
  try {
    writeFileSync(where, text);
  } catch (error) {
    const message = `cannot write the statistics to ${where}: ${why(error)}`;
    throw new VivariumError('stats-unwritable', message, { cause: error });
  }
}
