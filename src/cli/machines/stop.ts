import { setTimeout as sleep } from 'node:timers/promises';
import { askMachine, type MachineEntry, Registry } from '../../daemon/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { forEachMachine } from './each.ts';

const LOOK_MILLISECONDS = 50;
/** How long a machine that is switched off may take to be gone, in seconds. */
const OFF_SECONDS = 10;

export interface StopOptions {
  /** seconds */
  readonly timeout: number;
  readonly force: boolean;
}

/** `viv stop`: returns the exit code. */
export function stopMachines(names: readonly string[], options: StopOptions): Promise<number> {
  const registry = new Registry();
  return forEachMachine(names, async (name) => {
    const entry = await registry.find(name);
    if (entry.condition === 'running') await stopMachine(registry, entry, options);
  });
}

/** Stops a machine that runs; returns when it does not. */
export async function stopMachine(
  registry: Registry,
  entry: MachineEntry,
  { timeout, force }: StopOptions,
): Promise<void> {
  if (!force) {
    await ask(entry, 'POST /power-button');
    if (await isGone(registry, entry, timeout)) return;
  }
  await ask(entry, 'POST /stop');
  if (await isGone(registry, entry, OFF_SECONDS)) return;
  const { name, pid } = entry.record;
  throw new VivariumError(
    'stop-failed',
    `the machine "${name}" does not stop; its process is ${pid}`,
  );
}

/** A machine that ends meanwhile is what was wanted. */
async function ask(entry: MachineEntry, route: string): Promise<void> {
  try {
    await askMachine(entry, route);
  } catch (error) {
    if (!(error instanceof VivariumError) || error.code !== 'machine-ended') throw error;
  }
}

async function isGone(registry: Registry, entry: MachineEntry, seconds: number): Promise<boolean> {
  const { id, name } = entry.record;
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const now = await registry.find(name).catch(() => undefined);
    if (now?.condition !== 'running' || now.record.id !== id) return true;
    if (performance.now() >= end) return false;
    await sleep(LOOK_MILLISECONDS);
  }
}
