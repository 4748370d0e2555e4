/**
 * The layers and what each may import: the one place where this is written.
 *
 * `node scripts/layers.ts` checks that every import respects the table and goes through the other
 * layer's `mod.ts` doors, and that the project files (`src/<layer>/tsconfig.json`, `tsconfig.json`)
 * say the same. `--write` writes the project files.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

interface Layer {
  /** what it may import; `'below'` is every layer above it in this list */
  readonly imports: 'below' | readonly string[];
  /** may use Node or the DOM */
  readonly host?: true;
}

/** From the base upwards. */
const layers: Readonly<Record<string, Layer>> = {
  util: { imports: [] },
  wasm: { imports: ['util'] },
  ir: { imports: ['util', 'wasm'] },
  memory: { imports: ['util'] },
  state: { imports: ['util'] },
  // Contracts only. The processor sees the bus, never a device.
  bus: { imports: ['util', 'state'] },
  x86: { imports: 'below' },
  engine: { imports: 'below' },
  devices: { imports: ['util', 'memory', 'state', 'bus'] },
  // Offers what the bus calls a `BlockBackend`; a device knows the contract alone.
  block: { imports: ['util', 'state', 'bus'] },
  net: { imports: ['util', 'state', 'bus'] },
  vsock: { imports: ['util', 'state', 'bus'] },
  share: { imports: ['util', 'state', 'bus'] },
  machine: { imports: 'below' },
  snapshot: { imports: 'below' },
  migration: { imports: 'below' },
  guest: { imports: 'below' },
  container: { imports: 'below', host: true },
  host: { imports: 'below', host: true },
  cluster: { imports: 'below', host: true },
  platform: { imports: 'below', host: true },
  client: { imports: 'below', host: true },
  daemon: { imports: 'below', host: true },
  cli: { imports: 'below', host: true },
  console: { imports: ['util', 'client'], host: true },
};

const root = resolve(import.meta.dirname, '..');
const names = Object.keys(layers);
const present = names.filter((name) => existsSync(join(root, 'src', name)));
const complaints: string[] = [];

/** The layers that `name` may import, those that exist only. */
function importsOf(name: string): readonly string[] {
  const layer = layers[name] as Layer;
  const allowed = layer.imports === 'below' ? names.slice(0, names.indexOf(name)) : layer.imports;
  return allowed.filter((other) => present.includes(other));
}

/** Every project file that the table calls for: path below the root, and contents. */
function projectFiles(): Map<string, string> {
  const files = new Map<string, string>();
  const write = (path: string, value: unknown) => {
    files.set(path, `${JSON.stringify(value, null, 2)}\n`);
  };
  for (const name of present) {
    write(`src/${name}/tsconfig.json`, {
      extends: layers[name]?.host ? '../../tsconfig.host.json' : '../../tsconfig.core.json',
      include: ['**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.fixture.ts'],
      references: importsOf(name).map((other) => ({ path: `../${other}` })),
    });
  }
  const all = present.map((name) => ({ path: `./${name}` }));
  write('src/tsconfig.json', {
    extends: '../tsconfig.host.json',
    compilerOptions: { rootDir: '.', outDir: '../build' },
    files: ['mod.ts'],
    references: all,
  });
  write('tsconfig.json', {
    files: [],
    references: [{ path: './src' }, { path: './tsconfig.test.json' }],
  });
  return files;
}

/** Names every import in a source file, static or dynamic, of types or of values. */
function importsIn(source: string): string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  return [...source.matchAll(pattern)].map((match) => match[2] as string);
}

/**
 * True for the doors of a layer: its `mod.ts`, and those of its folders. The plain description of a
 * machine is a door of its own, so that the types of the public API do not reach into the core.
 */
function isDoor(path: string): boolean {
  return path.endsWith('/mod.ts') || path === 'machine/config.ts';
}

function checkFile(name: string, path: string): void {
  const source = join(root, 'src');
  for (const specifier of importsIn(readFileSync(path, 'utf8'))) {
    const where = `${relative(root, path)} imports '${specifier}'`;
    if (!specifier.startsWith('.')) {
      const isHostModule = specifier.startsWith('node:');
      if (isHostModule && !layers[name]?.host) complaints.push(`${where}: ${name} is a core layer`);
      continue;
    }
    const target = relative(source, resolve(dirname(path), specifier));
    const other = target.split('/')[0] as string;
    if (other === name) continue;
    if (!importsOf(name).includes(other)) {
      complaints.push(`${where}: ${name} may not import ${other}`);
    } else if (!isDoor(target)) {
      complaints.push(`${where}: go through the door, ${other}/mod.ts`);
    }
  }
}

const write = process.argv.includes('--write');
for (const [path, contents] of projectFiles()) {
  const file = join(root, path);
  const now = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (JSON.stringify(parse(now)) === JSON.stringify(parse(contents))) continue;
  if (write) writeFileSync(file, contents);
  else complaints.push(`${path} does not follow scripts/layers.ts; run: npm run format`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

for (const name of present) {
  for (const entry of readdirSync(join(root, 'src', name), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    if (/\.(test|fixture)\.ts$/.test(entry.name)) continue;
    checkFile(name, join(entry.parentPath, entry.name));
  }
}
for (const name of readdirSync(join(root, 'src'), { withFileTypes: true })) {
  if (name.isDirectory() && !names.includes(name.name)) {
    complaints.push(`src/${name.name} is not a layer; add it to scripts/layers.ts`);
  }
}

for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
