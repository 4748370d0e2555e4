/**
 * Makes sure that the programs the tests compare against are there: a C compiler, an assembler, tools
 * for disk images; with the word `systems` also a peer to boot the same kernels. As root on a Debian
 * host they are installed; elsewhere the tests that need them are skipped, and this says which
 * packages would enable them.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** program (or file) looked for, Debian package that brings it */
const needs: readonly (readonly [program: string, debianPackage: string])[] = [
  ['gcc', 'gcc'],
  ['/usr/include/x86_64-linux-gnu/gnu/stubs-32.h', 'gcc-multilib'],
  ['nasm', 'nasm'],
  ['qemu-img', 'qemu-utils'],
  ['e2fsck', 'e2fsprogs'],
  ...(process.argv.includes('systems')
    ? ([
        ['qemu-system-x86_64', 'qemu-system-x86'],
        ['grub-mkrescue', 'grub-common'],
        ['xorriso', 'xorriso'],
        ['mformat', 'mtools'],
        ['mmdebstrap', 'mmdebstrap'],
        ['git', 'git'],
      ] as const)
    : []),
];

const missing = needs.filter(([program]) => !isThere(program)).map(([, name]) => name);
if (missing.length > 0) {
  if (canInstall()) install(missing);
  else {
    console.error(
      `Some tests will be skipped: install ${missing.join(', ')} ` +
        `(Debian: sudo apt-get install ${missing.join(' ')}) to run them.`,
    );
  }
}

function isThere(program: string): boolean {
  if (program.startsWith('/')) return existsSync(program);
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return places.some((place) => {
    try {
      accessSync(join(place, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

function install(packages: readonly string[]): void {
  console.error(`Installing what the tests need: ${packages.join(' ')}`);
  const get = (...arguments_: string[]) =>
    spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', ...arguments_], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  // The lists of a fresh machine are empty or old: fetch them only when the first try fails.
  const options = ['--no-install-recommends', 'install', ...packages];
  if (!get(...options) && !(get('update') && get(...options))) {
    console.error(
      `apt-get could not install ${packages.join(', ')}; the tests that need them will be skipped.`,
    );
  }
}
