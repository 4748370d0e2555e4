import { type MachineEntry, Registry } from '../../daemon/mod.ts';
import { formatTable } from './table.ts';

/** `viv ls` */
export async function listMachines(options: { json: boolean; quiet: boolean }): Promise<void> {
  const entries = await new Registry().list();
  process.stdout.write(format(entries, options));
}

function format(
  entries: readonly MachineEntry[],
  { json, quiet }: { json: boolean; quiet: boolean },
) {
  if (json) return `${JSON.stringify(entries.map(describe), undefined, 2)}\n`;
  if (quiet) return entries.map(({ record }) => `${record.name}\n`).join('');
  const rows = entries.map(({ record, condition }) => [
    record.name,
    condition === 'ended' ? `ended (${record.ended?.code})` : condition,
    formatAge(Date.now() - Date.parse(record.startedAt)),
    record.memory,
    record.boots,
  ]);
  return formatTable(['NAME', 'STATE', 'STARTED', 'MEMORY', 'BOOTS'], rows);
}

/** What `--json` says about a machine. */
export function describe({ record, condition, directory }: MachineEntry): object {
  const { version: _, ...rest } = record;
  return { ...rest, condition, control: `${directory}/control.sock` };
}

/** `3 minutes ago`: the largest unit that fits. */
export function formatAge(milliseconds: number): string {
  const units: readonly [name: string, seconds: number][] = [
    ['day', 86400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ];
  const total = Math.max(0, milliseconds / 1000);
  for (const [name, seconds] of units) {
    const count = Math.floor(total / seconds);
    if (count >= 1) return `${count} ${name}${count === 1 ? '' : 's'} ago`;
  }
  return 'just now';
}
