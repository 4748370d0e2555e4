/**
 * Modes, protection, paging and debugging, by kernels that print what they expected and what they got. The
 * expectations are the manual's; QEMU is a second opinion where it is installed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DIFFERENCES, NOT_COMPARED } from './differences.ts';
import {
  assemble,
  cannotAssemble,
  cannotCompare,
  type KernelEngine,
  run,
  runQemu,
} from './machine.ts';

interface Kernel {
  readonly name: string;
  readonly engines: readonly KernelEngine[];
  /** `max` if absent; QEMU gets `max` always, which has all of it */
  readonly cpu?: string;
}

const EVERY: readonly KernelEngine[] = ['interp', 'eager', 'reference'];

const KERNELS: readonly Kernel[] = [
  { name: 'segments', engines: EVERY },
  { name: 'gates', engines: EVERY },
  { name: 'tasks', engines: EVERY },
  { name: 'v86', engines: EVERY },
  { name: 'real', engines: EVERY },
  { name: 'debug', engines: EVERY },
  { name: 'paging', engines: EVERY },
  { name: 'extended', engines: EVERY },
  { name: 'interrupts', engines: ['eager', 'reference'] },
  { name: 'long4', engines: ['eager', 'interp'] },
  { name: 'long5', engines: EVERY, cpu: 'max,+la57' },
  { name: 'features', engines: EVERY },
];

describe('kernels that test the processor', { skip: cannotAssemble }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-kernels-'));
  const images = new Map<string, string>();

  before(() => {
    for (const { name } of KERNELS) images.set(name, assemble(name, directory));
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const { name, engines, cpu = 'max' } of KERNELS) {
    for (const engine of engines) {
      test(`${name}: all is as the manual says, with the engine ${engine}`, () => {
        const lines = run(images.get(name) as string, engine, cpu);
        assert.deepEqual(
          lines.filter((line) => !line.startsWith('ok ')),
          ['done'],
        );
        assert.ok(lines.length > 20, 'it checks something');
      });
    }
    const skip = cannotCompare || (NOT_COMPARED[name] ?? false);
    test(`${name}: QEMU agrees, but for the differences listed`, { skip }, () => {
      const lines = runQemu(images.get(name) as string);
      const known = (DIFFERENCES[name] ?? []).flatMap(({ checks }) => checks);
      const unknown = lines.filter(
        (line) => line.startsWith('no ') && !known.some((each) => line.startsWith(`no ${each}`)),
      );
      assert.deepEqual(unknown, []);
      assert.ok(lines.filter((line) => line.startsWith('ok ')).length > 15, 'it ran');
    });
  }
});
