import { askMachineJson, Registry } from '../../daemon/mod.ts';
import { describe } from './ls.ts';

/** `viv inspect` */
export async function inspectMachine(name: string): Promise<void> {
  const entry = await new Registry().find(name);
  const live = entry.condition === 'running' ? await askMachineJson(entry, 'GET /') : {};
  const all = { ...(live as object), ...describe(entry) };
  process.stdout.write(`${JSON.stringify({ ...all, version: undefined }, undefined, 2)}\n`);
}
