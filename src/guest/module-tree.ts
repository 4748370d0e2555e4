/**
 * The modules of a guest with the tables by which `modprobe` finds them: modules.dep and modules.alias,
 * which depmod makes when a kernel package is installed.
 */
import { decompress } from '../util/mod.ts';
import type { ExtraFile } from './initrd.ts';
import { canonicalName, moduleInfo, orderModules } from './modules.ts';

/** Drivers of the machine's devices that a stock kernel may have as modules. */
export const DEVICE_MODULES: readonly string[] = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_console',
  'virtio_rng',
  'virtio_balloon',
  'virtiofs',
  'vmw_vsock_virtio_transport',
];

/** Where the package keeps those, and what they need. */
const MODULE_FOLDERS = [
  'drivers/virtio',
  'drivers/block',
  'drivers/char',
  'drivers/net',
  'net/core',
  'net/vmw_vsock',
  'fs/fuse',
];

/** True for the files of a kernel package among which the drivers are. */
export function isModulePath(path: string): boolean {
  const [, folder] =
    /^(?:usr\/)?lib\/modules\/[^/]+\/kernel\/(.+)\/[^/]+\.ko(\.\w+)?$/.exec(path) ?? [];
  if (folder === undefined) return false;
  return MODULE_FOLDERS.includes(folder) || folder === 'drivers/char/hw_random';
}

/**
 * Builds `lib/modules/VERSION` with those of `names` that the kernel has as modules, and all they need.
 * `modules` are the package's, by path, maybe compressed.
 */
export async function buildModuleTree(
  version: string,
  modules: ReadonlyMap<string, Uint8Array>,
  names: readonly string[],
): Promise<ExtraFile[]> {
  const has = new Set([...modules.keys()].map(canonicalName));
  const unpacked = new Map<string, Uint8Array>();
  for (const [path, packed] of modules) {
    const data = path.endsWith('.ko') ? packed : await decompress(packed);
    unpacked.set(`${canonicalName(path)}.ko`, data);
  }
  const order = orderModules(
    unpacked,
    names.filter((name) => has.has(canonicalName(name))),
  );
  if (order.length === 0) return [];
  const root = `lib/modules/${version}`;
  const dependencies = order.map((path) => `${path}: ${allDepends(unpacked, path).join(' ')}\n`);
  const aliases = order.flatMap((path) =>
    moduleInfo(unpacked.get(path)!, 'alias').map(
      (alias) => `alias ${alias} ${canonicalName(path)}\n`,
    ),
  );
  return [
    ...order.map((path) => ({ path: `${root}/${path}`, data: unpacked.get(path)! })),
    { path: `${root}/modules.dep`, data: dependencies.join('') },
    { path: `${root}/modules.alias`, data: aliases.join('') },
  ];
}

/** What a module needs, directly or not; the nearest first, as modules.dep has it. */
function allDepends(modules: ReadonlyMap<string, Uint8Array>, path: string): string[] {
  const order = orderModules(modules, [path]);
  return order.filter((each) => each !== path).reverse();
}
