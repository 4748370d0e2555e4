import { InvalidArgumentError } from 'commander';
import type { DiskOptions } from '../client/mod.ts';

/**
 * Parses `FILE[,bus=virtio|nvme|ide][,readonly][,snapshot][,format=raw|qcow2][,serial=TEXT]`; a comma in the
 * file's name is written twice.
 */
export function parseDisk(text: string): DiskOptions {
  const [path = '', ...settings] = text
    .replaceAll(',,', '\0')
    .split(',')
    .map((part) => part.replaceAll('\0', ','));
  if (path === '') throw new InvalidArgumentError('It must begin with a file.');
  const disk: Record<string, unknown> = { path };
  for (const setting of settings) {
    const [name = '', value] = split(setting);
    if (value === undefined && name === 'readonly') disk['readOnly'] = true;
    else if (value === undefined && name === 'snapshot') disk['snapshot'] = true;
    else if (value !== undefined && ['bus', 'format', 'serial'].includes(name)) disk[name] = value;
    else throw new InvalidArgumentError(`A disk has no option "${setting}".`);
  }
  return disk as unknown as DiskOptions;
}

function split(setting: string): [string, string | undefined] {
  const at = setting.indexOf('=');
  return at < 0 ? [setting, undefined] : [setting.slice(0, at), setting.slice(at + 1)];
}
