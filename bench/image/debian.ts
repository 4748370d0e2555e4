/** Programs of Debian packages, with all they need, unpacked into a directory. */
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Needed to install a system, not to run its programs. */
const LEFT_OUT = /^(debconf|dpkg|tar|perl|perl-base|media-types|install-info|.*-doc)$/;

/** Files that no benchmark reads; most of a compiler's packages by size. */
const EXCLUDED = [
  './usr/share/doc',
  './usr/share/man',
  './usr/share/info',
  './usr/share/locale',
  './usr/share/lintian',
  '*/lto1',
  '*/lto-wrapper',
  '*-lto-dump-*',
  '*/g++-mapper-server',
  '*.a',
  '*san.so*',
  '*san_preinit.o',
  '*san.spec',
  '*/libgprofng*',
  '*gp-*',
  '*/x86_64-linux-gnu-dwp',
  '*/x86_64-linux-gnu-ld.gold',
];

/** True if this host can fetch and unpack packages. */
export function hasPackageTools(): boolean {
  return [
    ['apt-get', '--version'],
    ['dpkg-deb', '--version'],
  ].every(([program, option]) => spawnSync(program as string, [option as string]).status === 0);
}

/** Names and versions of the packages and of all they depend on: `gzip=1.12-1`. */
export function resolvePackages(names: readonly string[]): string[] {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const options = ['depends', '--recurse', ...kinds.map((kind) => `--no-${kind}`)];
  const depends = execFileSync('apt-cache', [...options, ...names], { encoding: 'utf8' });
  const closure = [...new Set(depends.split('\n').filter((line) => /^[a-z0-9]/.test(line)))]
    .filter((name) => !name.includes(':') && !LEFT_OUT.test(name))
    .sort();
  const policy = execFileSync('apt-cache', ['policy', ...closure], { encoding: 'utf8' });
  return [...policy.matchAll(/^(\S+):\n.*\n {2}Candidate: (\S+)$/gm)]
    .filter(([, , version]) => version !== '(none)')
    .map(([, name, version]) => `${name}=${version}`);
}

/** Runs `apt-get`; throws in a sentence what stands in the way. */
function download(words: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync('apt-get', words, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.split('\n').find((line) => line.startsWith('E: '));
  throw new Error(
    `the packages of the benchmark guest cannot be fetched (${reason?.replace(/^E: /, '').trim()}). ` +
      'Where the lists of packages are older than the mirror, this helps: apt-get update',
  );
}

/** Fetches packages into `cache` (what is there already is kept) and unpacks them into `tree`. */
export function unpackPackages(packages: readonly string[], cache: string, tree: string): void {
  mkdirSync(cache, { recursive: true });
  const options = ['-q', '-o', 'APT::Sandbox::User=root'];
  download([...options, 'download', ...packages], cache);
  const excluded = EXCLUDED.map((pattern) => `--exclude=${pattern}`);
  for (const each of packages) {
    const [name, version] = each.split('=') as [string, string];
    const prefix = `${name}_${version.replaceAll(':', '%3a')}_`;
    const file = globSync('*.deb', { cwd: cache }).find((path) => path.startsWith(prefix));
    if (file === undefined) throw new Error(`apt-get did not fetch ${each}`);
    const tar = execFileSync('dpkg-deb', ['--fsys-tarfile', join(cache, file)], {
      maxBuffer: 2 ** 30,
    });
    // Directories of the tree may be links, as in Debian itself since its /bin is /usr/bin.
    execFileSync(
      'tar',
      ['-x', '--keep-directory-symlink', '--no-same-owner', ...excluded, '-C', tree],
      { input: tar },
    );
  }
}
