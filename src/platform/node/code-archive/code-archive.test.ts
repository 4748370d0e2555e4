import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import type { KeptRegion } from '../../../engine/mod.ts';
import { constantModule, constantOf } from '../../../wasm/constant-module.fixture.ts';
import { readHints } from '../compilation-hints.ts';
import { archiveFolder, codeArchivePlace, keepModule, readArchive } from './archive-folder.ts';
import { canKeepCode, prepareToKeepCode } from './compiled-module.ts';
import { packDescription, unpackDescription } from './description.ts';

const REGION: KeptRegion = {
  offset: 0x123,
  head: Uint8Array.of(1, 2, 3, 4),
  pages: [-1, 1],
  code: [
    { page: 0, first: 0x123, bytes: Uint8Array.of(1, 2, 3, 4, 5) },
    { page: -1, first: 0, bytes: Uint8Array.of(6) },
  ],
  exits: Int32Array.of(0, -5, 3, 32, 0),
  generation: 2,
  isHot: true,
};

function result(module: WebAssembly.Module | undefined): number {
  assert.ok(module);
  return constantOf(module);
}

test('what a file says of its module comes out as it went in', () => {
  const regions = {
    kind: 'regions',
    regions: [REGION, undefined, { ...REGION, pages: [] }],
  } as const;
  assert.deepEqual(unpackDescription(packDescription(regions)), regions);
  const handlers = {
    kind: 'handlers',
    keys: Float64Array.of(5, 2 ** 40),
    indexes: Int32Array.of(16, 17),
  } as const;
  assert.deepEqual(unpackDescription(packDescription(handlers)), handlers);
});

test('numbers that make no sense are refused', () => {
  const packed = packDescription({ kind: 'regions', regions: [REGION] });
  for (let cut = 1; cut <= packed.numbers.length; cut++) {
    const numbers = packed.numbers.slice(0, -cut);
    assert.throws(() => unpackDescription({ ...packed, numbers }), /damaged/);
  }
  for (const number of [-1, 2 ** 30]) {
    for (let at = 0; at < packed.numbers.length; at++) {
      const numbers = packed.numbers.slice();
      numbers[at] = number;
      try {
        unpackDescription({ ...packed, numbers });
      } catch (error) {
        assert.match(String(error), /damaged/);
      }
    }
  }
});

describe('where code is kept', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-code-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const [a, b] = [join(directory, 'a'), join(directory, 'b', 'c')];

  test('as named, as the environment says, or nowhere', () => {
    const place = (named: string | undefined, environment: NodeJS.ProcessEnv) =>
      codeArchivePlace(named, environment);
    assert.deepEqual(place(a, { VIVARIUM_CODE_ARCHIVE: b }), { directory: a, isReadOnly: false });
    assert.deepEqual(place(undefined, { VIVARIUM_CODE_ARCHIVE: `${a},readonly` }), {
      directory: a,
      isReadOnly: true,
    });
    assert.equal(place(undefined, {}), undefined);
    for (const named of ['none', undefined])
      assert.equal(place(named, { VIVARIUM_CODE_ARCHIVE: 'none' }), undefined);
  });

  test('a directory that is not there is made, unless it is to stay as it is', () => {
    assert.throws(() => codeArchivePlace(`${b},readonly`, {}), /no such directory; name another/);
    codeArchivePlace(b, {});
    assert.ok(statSync(b).isDirectory());
  });

  test('what is no directory is refused', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    for (const named of [file, `${file},readonly`, join(file, 'below')])
      assert.throws(() => codeArchivePlace(named, {}), /not a directory/);
  });
});

describe('the archive', { skip: !canKeepCode() && 'this V8 gives no machine code away' }, () => {
  let root: string;
  let folder: string;

  beforeEach(() => {
    readHints();
    prepareToKeepCode();
    root = mkdtempSync(join(tmpdir(), 'vivarium-code-'));
    folder = archiveFolder(root, 'a b');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const keep = (value: number): void => {
    const bytes = constantModule(value);
    const description = { kind: 'regions', regions: [REGION] } as const;
    keepModule(folder, description, bytes, new WebAssembly.Module(bytes));
  };
  const files = () => readdirSync(folder).map((name) => join(folder, name));

  test('a folder that is not there holds nothing', () => {
    assert.deepEqual(readArchive(folder), { batches: [] });
    assert.ok(!existsSync(folder));
  });

  test('a module comes back with its machine code, and with what was said of it', () => {
    keep(7);
    const { batches } = readArchive(folder);
    assert.equal(batches.length, 1);
    assert.deepEqual(batches[0]?.regions, [REGION]);
    assert.equal(result(batches[0]?.load()), 7);
  });

  test('only the last handlers are kept', () => {
    for (const value of [1, 2]) {
      const bytes = constantModule(value);
      const keys = Float64Array.of(value);
      const description = { kind: 'handlers', keys, indexes: Int32Array.of(16) } as const;
      keepModule(folder, description, bytes, new WebAssembly.Module(bytes));
    }
    const { batches, handlers } = readArchive(folder);
    assert.deepEqual([batches.length, handlers?.keys[0]], [0, 2]);
    assert.equal(result(handlers?.load()), 2);
    assert.equal(files().length, 1);
  });

  test('a file that is damaged anywhere is not used, and goes', () => {
    keep(7);
    const [path] = files() as [string];
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 1 + (at >> 5)) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] as number) ^ 0x40;
      writeFileSync(path, damaged);
      const [batch] = readArchive(folder).batches;
      assert.equal(batch?.load(), undefined, `byte ${at}`);
      assert.ok(!existsSync(path), `byte ${at}`);
    }
    for (const bytes of [0, 8, 40, whole.length - 1]) {
      writeFileSync(path, whole);
      truncateSync(path, bytes);
      assert.equal(readArchive(folder).batches[0]?.load(), undefined);
    }
  });

  test('one that is to stay as it is stays', () => {
    keep(7);
    const [path] = files() as [string];
    utimesSync(path, new Date(0), new Date(0));
    assert.equal(result(readArchive(folder, true).batches[0]?.load()), 7);
    assert.equal(statSync(path).mtimeMs, 0);
    writeFileSync(path, 'damaged');
    assert.deepEqual(readArchive(folder, true).batches, []);
    assert.ok(existsSync(path));
  });

  test('a file that vanishes meanwhile is as good as not there', () => {
    keep(7);
    const { batches } = readArchive(folder);
    for (const path of files()) rmSync(path);
    assert.equal(batches[0]?.load(), undefined);
  });

  test('what was not used for the longest time goes when there is too much', () => {
    keep(1);
    const [old] = files() as [string];
    utimesSync(old, new Date(0), new Date(0));
    const other = archiveFolder(root, 'other');
    const strange = join(root, 'not ours');
    mkdirSync(strange);
    keepModule(
      other,
      { kind: 'regions', regions: [] },
      constantModule(2),
      new WebAssembly.Module(constantModule(2)),
    );
    const [large] = readdirSync(other) as [string];
    // A hole: it takes no room on the disk.
    truncateSync(join(other, large), 2 ** 28);
    utimesSync(join(other, large), new Date(1000), new Date(1000));
    keep(3);
    assert.ok(!existsSync(old));
    assert.equal(files().length, 1);
    assert.ok(!existsSync(other), 'and so does its folder');
    assert.ok(existsSync(strange), 'but nothing of others');
  });

  test('what a process left unfinished goes, what one is writing stays', () => {
    keep(1);
    const [left, written] = [join(folder, 'left.tmp'), join(folder, 'written.tmp')];
    for (const path of [left, written]) writeFileSync(path, '');
    utimesSync(left, new Date(0), new Date(0));
    keep(2);
    assert.deepEqual([existsSync(left), existsSync(written)], [false, true]);
  });

  test('nobody else can read or write it', () => {
    keep(7);
    const [path] = files() as [string];
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  test('where it cannot be written, nothing happens', () => {
    folder = '/proc/self/none/code';
    keep(7);
    assert.deepEqual(readArchive(folder), { batches: [] });
  });

  test('virtual processors with different features have folders of their own', () => {
    assert.notEqual(archiveFolder(root, 'a'), archiveFolder(root, 'a b'));
    assert.equal(archiveFolder(root, 'a b'), folder);
  });
});
