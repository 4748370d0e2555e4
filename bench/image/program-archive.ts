/**
 * Programs of Debian packages as an archive that goes behind the initial RAM disk of the default guest: each with
 * the libraries that it loads, and a command of its name.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TreeEntry, writeCpio } from '../../src/guest/mod.ts';
import { resolvePackages, unpackPackages } from './debian.ts';

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/vivarium/bench/packages');
const LOADER = 'ld-linux-x86-64.so.2';
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
/** Where the programs and their libraries are in the guest. */
const PLACE = 'programs';
/** The kernel takes archives one behind the other, each at a multiple of four bytes. */
const ALIGNMENT = 512;

export interface Programs extends Disposable {
  /** the command line that runs a program on this host, from the same packages */
  command(program: string): string[];
  /** `initrd` with the programs behind it */
  addTo(initrd: Uint8Array): Uint8Array;
}

/** Fetches and unpacks `packages`, and finds `programs`, named as `bin/fio`, in them. */
export function unpackProgramPackages(
  packages: readonly string[],
  programs: readonly string[],
): Programs {
  const tree = mkdtempSync(join(tmpdir(), 'vivarium-programs-'));
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(tree, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(tree, name));
  }
  unpackPackages(resolvePackages(packages), CACHE, tree);
  const path = (program: string) => join(tree, 'usr', program);
  return {
    command: (program) => [...loaderOf(tree), path(program)],
    addTo: (initrd) => {
      const entries = programs.flatMap((each) => entriesOf(tree, path(each)));
      const archive = writeCpio([...new Map(entries.map((each) => [each.path, each])).values()]);
      const start = Math.ceil(initrd.length / ALIGNMENT) * ALIGNMENT;
      const whole = new Uint8Array(start + archive.length);
      whole.set(initrd);
      whole.set(archive, start);
      return whole;
    },
    [Symbol.dispose]: () => rmSync(tree, { recursive: true, force: true }),
  };
}

function loaderOf(tree: string): string[] {
  const libraries = [LIBRARIES, join(LIBRARIES, 'ceph')].map((each) => join(tree, each)).join(':');
  return [join(tree, 'lib64', LOADER), '--library-path', libraries];
}

/** A program, the libraries that its loader finds, and a command that runs it. */
function entriesOf(tree: string, program: string): TreeEntry[] {
  const [loader = '', ...options] = loaderOf(tree);
  const list = execFileSync(loader, [...options, '--list', program], { encoding: 'utf8' });
  const libraries = [...list.matchAll(/=> (\/\S+)/g)].map(([, library]) => library as string);
  const file = (path: string, from: string): TreeEntry => ({
    kind: 'file',
    path,
    mode: 0o755,
    data: readFileSync(realpathSync(from)),
  });
  const name = basename(program);
  const run = `exec /${PLACE}/lib/${LOADER} --library-path /${PLACE}/lib /${PLACE}/${name} "$@"`;
  return [
    { kind: 'directory', path: PLACE },
    { kind: 'directory', path: `${PLACE}/lib` },
    file(`${PLACE}/lib/${LOADER}`, loader),
    ...libraries.map((library) => file(`${PLACE}/lib/${basename(library)}`, library)),
    file(`${PLACE}/${name}`, program),
    { kind: 'file', path: `bin/${name}`, mode: 0o755, data: `#!/bin/sh\n${run}\n` },
  ];
}
