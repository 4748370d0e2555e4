import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeCpio } from './cpio.ts';

const ascii = (bytes: Uint8Array) => String.fromCharCode(...bytes);

test('an archive of one file has the bytes that the format prescribes', () => {
  const archive = writeCpio([{ kind: 'file', path: 'a', mode: 0o600, data: 'hello' }]);
  const fields = (...values: string[]) => values.map((value) => value.padStart(8, '0')).join('');
  const file = `070701${fields('1', '8180', '0', '0', '1', '0', '5', '0', '0', '0', '0', '2', '0')}a\0`;
  const trailer = `070701${fields('0', '0', '0', '0', '1', '0', '0', '0', '0', '0', '0', 'B', '0')}`;
  assert.equal(ascii(archive), `${file}hello\0\0\0${trailer}TRAILER!!!\0\0\0\0`);
});

/** An independent reader: path, mode, device and data of each member. */
function read(archive: Uint8Array) {
  const members: { path: string; mode: string; device: string; data: string }[] = [];
  for (let at = 0; ; ) {
    const field = (index: number) =>
      Number.parseInt(ascii(archive.subarray(at + 6 + index * 8, at + 14 + index * 8)), 16);
    assert.equal(ascii(archive.subarray(at, at + 6)), '070701');
    assert.equal(at % 4, 0, 'members start at multiples of 4');
    const path = ascii(archive.subarray(at + 110, at + 109 + field(11)));
    if (path === 'TRAILER!!!') return members;
    const dataAt = Math.ceil((at + 110 + field(11)) / 4) * 4;
    const data = ascii(archive.subarray(dataAt, dataAt + field(6)));
    const device = `${field(9)}:${field(10)}`;
    members.push({ path, mode: field(1).toString(8), device, data });
    at = Math.ceil((dataAt + field(6)) / 4) * 4;
  }
}

test('directories, files, links and devices are read back as they were', () => {
  const archive = writeCpio([
    { kind: 'directory', path: 'dev' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'block-device', path: 'dev/vda', mode: 0o660, major: 254, minor: 0 },
    { kind: 'file', path: 'init', mode: 0o755, data: new Uint8Array([65, 66, 67]) },
    { kind: 'symlink', path: 'sbin', target: 'bin' },
  ]);
  assert.deepEqual(read(archive), [
    { path: 'dev', mode: '40755', device: '0:0', data: '' },
    { path: 'dev/console', mode: '20600', device: '5:1', data: '' },
    { path: 'dev/vda', mode: '60660', device: '254:0', data: '' },
    { path: 'init', mode: '100755', device: '0:0', data: 'ABC' },
    { path: 'sbin', mode: '120777', device: '0:0', data: 'bin' },
  ]);
});

test('equal trees give equal bytes', () => {
  const tree = [{ kind: 'file', path: 'x', data: 'y' }] as const;
  assert.deepEqual(writeCpio(tree), writeCpio(tree));
});

test('names that would leave the tree or break the archive are refused', () => {
  for (const path of ['', '/etc', 'etc/', 'a\0b']) {
    assert.throws(() => writeCpio([{ kind: 'directory', path }]), { code: 'cpio-path' }, path);
  }
});
