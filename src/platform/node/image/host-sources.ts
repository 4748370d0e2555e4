/** The package sources of this host. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourcesFile } from '../../../guest/mod.ts';

const DIRECTORY = '/etc/apt';

/** What apt on this host reads; nothing on a host without apt. */
export function readHostSources(directory = DIRECTORY): SourcesFile[] {
  const parts = join(directory, 'sources.list.d');
  const names = list(parts).filter((name) => /\.(list|sources)$/.test(name));
  return [join(directory, 'sources.list'), ...names.map((name) => join(parts, name))]
    .map((name) => ({ name, text: read(name) }))
    .filter(({ text }) => text !== '');
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
