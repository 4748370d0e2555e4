/** What Vivarium finds on this host, and what to do about what it does not. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { bulkMemory, simd, tailCall, threads } from 'wasm-feature-detect';
import { defaultRegistryDirectory } from '../../daemon/mod.ts';
import { findProgram } from '../../platform/node/image/mod.ts';
import { defaultCacheDirectory } from '../../platform/node/mod.ts';

/** `good`; `limited`: something works less well or not at all; `bad`: no machine runs. */
export type Verdict = 'good' | 'limited' | 'bad';

export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  /** what was found */
  readonly found: string;
  /** what to do about it */
  readonly advice?: string;
}

const NODE_FLOOR = 24;
/** A machine of the default size, with what runs it. */
const NEEDED_MEMORY = 1 << 30;
/** What guest software takes in the cache. */
const NEEDED_CACHE = 200e6;

/** Looks at everything. */
export async function examineHost(): Promise<Check[]> {
  return [
    checkNode(process.version),
    await checkWebAssembly(),
    checkProcessor(),
    checkMemory(availableMemory(), totalmem()),
    checkKvm(),
    checkDirectory('cache', defaultCacheDirectory(), 'XDG_CACHE_HOME', NEEDED_CACHE),
    checkDirectory('machines', defaultRegistryDirectory(), 'XDG_STATE_HOME', 0),
    checkPackages(),
    checkImageBuilding(),
  ];
}

export function checkNode(version: string): Check {
  const isNew = Number.parseInt(version.slice(1), 10) >= NODE_FLOOR;
  return {
    name: 'Node',
    verdict: isNew ? 'good' : 'bad',
    found: version,
    ...(isNew ? {} : { advice: `Vivarium needs Node ${NODE_FLOOR} or later` }),
  };
}

async function checkWebAssembly(): Promise<Check> {
  const features = { 'tail calls': tailCall, SIMD: simd, threads, 'bulk memory': bulkMemory };
  const missing: string[] = [];
  for (const [name, detect] of Object.entries(features)) {
    if (!(await detect())) missing.push(name);
  }
  if (missing.length === 0) {
    return { name: 'WebAssembly', verdict: 'good', found: Object.keys(features).join(', ') };
  }
  return {
    name: 'WebAssembly',
    verdict: 'bad',
    found: `no ${missing.join(', no ')}`,
    advice: 'a newer Node has what is missing',
  };
}

function checkProcessor(): Check {
  const model = cpus()[0]?.model.trim() ?? process.arch;
  const count = availableParallelism();
  const found = `${model}, ${count} ${count === 1 ? 'core' : 'cores'}`;
  if (count > 1) return { name: 'processor', verdict: 'good', found };
  const advice = 'a machine, its network and its console share one core: guests will be slower';
  return { name: 'processor', verdict: 'limited', found, advice };
}

export function checkMemory(available: number, total: number): Check {
  const found = `${formatBytes(available)} of ${formatBytes(total)} available`;
  if (available >= NEEDED_MEMORY) return { name: 'memory', verdict: 'good', found };
  const advice =
    'a machine of the default size may not fit; start it with less, as in --memory 256M';
  return { name: 'memory', verdict: 'limited', found, advice };
}

/** What programs can have without anything being swapped out; Linux counts caches in. */
function availableMemory(): number {
  try {
    const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return line === null ? freemem() : Number(line[1]) * 1024;
  } catch {
    return freemem();
  }
}

function checkKvm(): Check {
  const path = '/dev/kvm';
  const name = 'hardware virtualization';
  if (!existsSync(path)) {
    const advice = 'not needed: Vivarium translates guest code itself';
    return { name, verdict: 'good', found: `no ${path}`, advice };
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return { name, verdict: 'good', found: `${path}; Vivarium does not use it yet` };
  } catch {
    const found = `${path}, not open to this user; Vivarium does not use it yet`;
    return { name, verdict: 'good', found };
  }
}

export function checkDirectory(
  name: string,
  path: string,
  variable: string,
  neededBytes: number,
): Check {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
  } catch {
    const advice = `set ${variable} to a directory that can be written`;
    return { name, verdict: 'limited', found: `${path} cannot be written`, advice };
  }
  const { bavail, bsize } = statfsSync(existing);
  const free = bavail * bsize;
  const found = `${path}, ${formatBytes(free)} free`;
  if (free >= neededBytes) return { name, verdict: 'good', found };
  const advice = `guest software needs ${formatBytes(neededBytes)}; make room, or set ${variable}`;
  return { name, verdict: 'limited', found, advice };
}

function checkPackages(): Check {
  const name = 'packages for guests';
  if (findProgram('apt-get') !== undefined) {
    return { name, verdict: 'good', found: 'apt, with the sources of this host' };
  }
  const mirror = process.env['VIVARIUM_MIRROR'];
  if (mirror !== undefined) return { name, verdict: 'good', found: `the mirror ${mirror}` };
  const advice =
    'name a Debian mirror in VIVARIUM_MIRROR, or boot your own files with --kernel and --initrd';
  return { name, verdict: 'limited', found: 'no apt and no mirror', advice };
}

function checkImageBuilding(): Check {
  const isRoot = process.getuid?.() === 0;
  const programs = ['mmdebstrap', 'mke2fs', ...(isRoot ? [] : ['fakeroot', 'newuidmap'])];
  const missing = programs.filter((program) => findProgram(program) === undefined);
  const name = 'building images';
  if (missing.length === 0) return { name, verdict: 'good', found: programs.join(', ') };
  const advice =
    'only viv image build needs them: sudo apt-get install mmdebstrap e2fsprogs fakeroot uidmap';
  return { name, verdict: 'limited', found: `no ${missing.join(', no ')}`, advice };
}

function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
