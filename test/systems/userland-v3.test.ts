/** Programs built for x86-64-v3, and for 32 bits, print in a guest what they print on the host. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ExtraFile } from '../../src/guest/mod.ts';
import { obedientInitrd, Workplace } from '../guests/images.ts';
import { runViv, type Session } from '../guests/session.ts';

const SOURCES = join(import.meta.dirname, 'programs');

/** name, source, and how it is compiled */
const PROGRAMS: readonly (readonly [name: string, source: string, ...options: string[]])[] = [
  ['loops-2', 'loops', '-O2', '-march=x86-64-v3'],
  ['loops-3', 'loops', '-O3', '-march=x86-64-v3'],
  ['loops-fast', 'loops', '-O3', '-ffast-math', '-march=x86-64-v3'],
  ['vectors', 'vectors', '-O2', '-march=x86-64-v3'],
  ['library', 'library', '-O2', '-march=x86-64-v3'],
  ['loops-32', 'loops', '-O2', '-m32'],
  ['loops-32-v3', 'loops', '-O3', '-m32', '-march=x86-64-v3'],
  ['library-32', 'library', '-O2', '-m32'],
];

const features = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
const skip = !/ avx2 /.test(features)
  ? 'the host has no AVX2 to compare with'
  : !compiles()
    ? 'gcc for 64 and 32 bits is needed (Debian: gcc-multilib)'
    : false;

function compiles(): boolean {
  const program = 'int main(void) { return 0; }';
  return ['-m64', '-m32'].every((mode) => {
    const words = [mode, '-static', '-x', 'c', '-', '-o', '/dev/null'];
    return spawnSync('gcc', words, { input: program }).status === 0;
  });
}

describe('a userland for x86-64-v3', { timeout: 600_000, skip }, () => {
  const place = new Workplace();
  const expected = new Map<string, string>();
  let guest: Session;

  before(async () => {
    const files: ExtraFile[] = [];
    for (const [name, source, ...options] of PROGRAMS) {
      const program = join(place.path, name);
      const file = join(SOURCES, `${source}.c`);
      const words = ['-Wall', ...options, '-static', '-s', file, '-o', program, '-lm'];
      const { status, stderr } = spawnSync('gcc', words, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      expected.set(name, spawnSync(program, { encoding: 'utf8' }).stdout);
      files.push({ path: `bin/${name}`, mode: 0o755, data: readFileSync(program) });
    }
    const initrd = place.file('initrd', await obedientInitrd(files));
    guest = runViv(['--initrd', initrd, '--cpu', 'v3', '--timeout', '580']);
    await guest.expect('init here');
  });

  after(async () => {
    await guest?.[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  test('finds the features of the level in /proc/cpuinfo', async () => {
    const { text } = await guest.run('grep -m1 ^flags /proc/cpuinfo');
    for (const name of ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']) {
      assert.match(text, new RegExp(` ${name}( |$)`, 'm'));
    }
    assert.doesNotMatch(text, / avx512/);
  });

  for (const [name, source, ...options] of PROGRAMS) {
    test(`${source} by gcc ${options.join(' ')} prints what it prints on the host`, async () => {
      const { text, status } = await guest.run(name);
      assert.equal(text, expected.get(name));
      assert.equal(status, 0);
    });
  }
});
