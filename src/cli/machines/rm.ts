import { Registry } from '../../daemon/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { forEachMachine } from './each.ts';
import { stopMachine } from './stop.ts';

/** `viv rm`: returns the exit code. */
export function removeMachines(
  names: readonly string[],
  { force }: { readonly force: boolean },
): Promise<number> {
  const registry = new Registry();
  return forEachMachine(names, async (name) => {
    const entry = await registry.find(name);
    if (entry.condition === 'running') {
      if (!force) {
        throw new VivariumError(
          'machine-running',
          `the machine "${name}" runs; stop it with viv stop ${name}, or say --force`,
        );
      }
      await stopMachine(registry, entry, { timeout: 0, force });
    }
    await registry.remove(entry);
  });
}
