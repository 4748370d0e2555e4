import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Saves all samples of a benchmark as JSON; returns the path. */
export function save(name: string, result: unknown, path: string | undefined): string {
  const date = new Date().toISOString().slice(0, 16).replaceAll(':', '');
  const file = path ?? join(import.meta.dirname, '..', 'results', `${name}-${date}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}
