import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CheckedFolder, folderSources, foldersSchema, mountParameter } from './folders.ts';
import { checkOptions } from './options.ts';

const directory = mkdtempSync(join(tmpdir(), 'vivarium-folders-'));
const file = join(directory, 'a file, 100%');
writeFileSync(file, '');
after(() => rmSync(directory, { recursive: true }));
const check = (...folders: string[]) => foldersSchema.parse(folders);
const [plain] = check('/h:/g') as [CheckedFolder];

test('HOST:GUEST, with or without options', () => {
  assert.deepEqual(plain, { host: '/h', guest: '/g', readOnly: false, uid: 0, gid: 0 });
  assert.deepEqual(check('a:b:/g:ro'), [{ ...plain, host: 'a:b', readOnly: true }]);
  assert.deepEqual(check('/h:/g:rw,uid=5,gid=6'), [{ ...plain, uid: 5, gid: 6 }]);
});

test('what makes no sense is refused in one sentence', () => {
  const wrong = [
    '',
    '/h',
    '/h:',
    ':/g',
    '/h:relative',
    '/h:/',
    '/h:/a/../..',
    '/h:/g:no',
    '/h:/g:uid=x',
  ];
  for (const text of wrong) {
    assert.throws(() => checkOptions({ folders: [text] }), { code: 'option-invalid' }, text);
  }
});

test('a share that does not exist, or cannot be shared, is refused', () => {
  const sources = (host: string) => folderSources([{ ...plain, host }]);
  assert.throws(() => sources('/no/such/place'), {
    code: 'folder-unusable',
    message: 'cannot share /no/such/place: there is no such file',
  });
  assert.throws(() => sources('/dev/null'), { code: 'folder-unusable' });
  assert.equal(sources(directory)[0]?.isFile, false);
  assert.equal(sources(file)[0]?.isFile, true);
});

test('the kernel’s command line tells the guest what to mount where', () => {
  const folder = { ...plain, host: directory, guest: '/my work' };
  assert.equal(mountParameter(folder, 0), 'vivarium.mount=viv0:/my%20work');
  assert.equal(
    mountParameter({ ...plain, host: file, readOnly: true }, 3),
    'vivarium.mount=viv3:/g:ro,file=a%20file%2c%20100%25',
  );
});
