/**
 * Kernel modules for a RAM disk. A Debian kernel package has no modules.dep (depmod makes it at
 * installation), so dependencies are read from the modules: the section .modinfo holds texts
 * `key=value`, each ended by NUL, and `depends` lists names (Linux include/linux/module.h).
 */
import { VivariumError } from '../util/mod.ts';

/** Reads the names of the modules that a module needs, `-` written as `_`. */
export function moduleDepends(module: Uint8Array): string[] {
  const [text = ''] = moduleInfo(module, 'depends');
  return text.split(',').filter(Boolean).map(canonicalName);
}

/** Reads the values that a module gives for `key`, for example its aliases. */
export function moduleInfo(module: Uint8Array, key: string): string[] {
  const marker = new TextEncoder().encode(`\0${key}=`);
  const values: string[] = [];
  let at = module.indexOf(marker[1]!);
  for (; at >= 0; at = module.indexOf(marker[1]!, at + 1)) {
    if (!marker.every((byte, index) => module[at - 1 + index] === byte)) continue;
    const start = at - 1 + marker.length;
    values.push(String.fromCharCode(...module.subarray(start, module.indexOf(0, start))));
  }
  return values;
}

/** `kernel/drivers/net/virtio-net.ko.xz` and `virtio-net` are both `virtio_net`. */
export function canonicalName(pathOrName: string): string {
  const file = pathOrName.slice(pathOrName.lastIndexOf('/') + 1);
  return file.replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
}

/**
 * Orders the named modules and all they need so that each comes after its dependencies.
 * `modules` are unpacked modules by their path. Throws for a name that the kernel has no module
 * for; one that is built into the kernel has none either, and is not to be named.
 */
export function orderModules(
  modules: ReadonlyMap<string, Uint8Array>,
  names: readonly string[],
): string[] {
  const pathOf = new Map([...modules.keys()].map((path) => [canonicalName(path), path]));
  const ordered = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    const path = pathOf.get(canonicalName(name));
    if (path === undefined) {
      throw new VivariumError('module-missing', `the kernel package has no module ${name}`);
    }
    if (ordered.has(path) || chain.includes(path)) return;
    for (const needed of moduleDepends(modules.get(path)!)) visit(needed, [...chain, path]);
    ordered.add(path);
  };
  for (const name of names) visit(name, []);
  return [...ordered];
}
