import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HandlerSet } from '../handlers/handler-set.ts';
import { type ArchivedRegion, CodeArchive, headOf, type KeptRegion } from './archive.ts';

/** Instances that are nothing but one function and its global. */
class Instances {
  readonly made: { readonly 0: () => void; readonly global0: { value: number } }[] = [];

  addModule(): WebAssembly.Exports {
    const code = { 0: () => {}, global0: { value: 0 } };
    this.made.push(code);
    return code as unknown as WebAssembly.Exports;
  }
}

const MEMORY = Uint8Array.from({ length: 8192 }, (_, i) => (i * 7) & 0xff);

function region(offset: number, more: Partial<KeptRegion> = {}): KeptRegion {
  const head = headOf(MEMORY, 0, offset);
  const code = [{ page: 0, first: offset, bytes: head }];
  const exits = new Int32Array();
  return { offset, head, pages: [], code, exits, generation: 0, isHot: false, ...more };
}

function open(
  regions: readonly KeptRegion[],
  load = (): WebAssembly.Module | undefined => ({}) as WebAssembly.Module,
): { archive: CodeArchive; instances: Instances } {
  const instances = new Instances();
  const handlers = instances as unknown as HandlerSet;
  return { archive: new CodeArchive([{ regions, bytes: 1, load }], handlers), instances };
}

test('regions are found by their offset and first bytes, at the end of a page as well', () => {
  for (const offset of [0, 100, 4093, 4095]) {
    const { archive } = open([region(offset)]);
    assert.equal(archive.candidates(MEMORY, 0, offset).length, 1);
    assert.equal(archive.candidates(MEMORY, 0, (offset + 1) % 4096).length, 0);
    const changed = MEMORY.slice();
    changed[offset] = (changed[offset] as number) ^ 1;
    assert.equal(archive.candidates(changed, 0, offset).length, 0);
  }
});

test('the best of several comes first', () => {
  const kinds = [
    region(8),
    region(8, { isHot: true }),
    region(8, { generation: 1 }),
    region(8, { generation: 1, isHot: true }),
  ];
  const found = open(kinds).archive.candidates(MEMORY, 0, 8);
  assert.deepEqual(
    found.map(({ kept }) => kinds.indexOf(kept)),
    [3, 2, 1, 0],
  );
});

test('a function serves one table at a time; another instance of it serves the next', () => {
  const { archive, instances } = open([region(8)]);
  const [found] = archive.candidates(MEMORY, 0, 8) as [ArchivedRegion];
  const [first, second] = [found.use(100), found.use(200)];
  assert.notEqual(first?.function, second?.function);
  assert.deepEqual(
    instances.made.map(({ global0 }) => global0.value),
    [100, 200],
  );
  first?.release();
  assert.equal(found.use(300)?.function, first?.function);
  assert.equal(instances.made.length, 2);
});

test('a module that cannot be had is asked for once', () => {
  let asked = 0;
  const { archive } = open([region(8)], () => {
    asked++;
    return undefined;
  });
  const [found] = archive.candidates(MEMORY, 0, 8) as [ArchivedRegion];
  assert.deepEqual([found.use(1), found.use(2), asked], [undefined, undefined, 1]);
});
