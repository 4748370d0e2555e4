import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  EIO,
  ENOENT,
  ENOSYS,
  ENOTDIR,
  ENXIO,
  EROFS,
  ESTALE,
} from './fuse/errno.ts';
import { FUSE, O_APPEND, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY } from './fuse/spec.ts';
import { message, parts, TestGuest, TestShare } from './guest.fixture.ts';
import { singleFile } from './single-file.ts';

const ENOTEMPTY = 39;
const refused = (errno: number) => ({ errno });
const text = (value: string) => new TextEncoder().encode(value);

test('a guest makes, reads, changes and removes files, and the host sees all of it', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const directory = guest.makeDirectory(1, 'dir');
  const file = guest.create(directory.node, 'file', O_RDWR);
  assert.equal(guest.write(file.handle, 0, text('hello, host')), 11);
  assert.equal(readFileSync(share.on('dir/file'), 'utf8'), 'hello, host');
  writeFileSync(share.on('dir/file'), 'hello, guest');
  assert.equal(guest.read(file.handle, 7, 100).toString(), 'guest');
  guest.setAttributes(file.node, { size: 5 });
  assert.equal(readFileSync(share.on('dir/file'), 'utf8'), 'hello');
  guest.rename(directory.node, 'file', 1, 'moved');
  assert.deepEqual(readdirSync(share.path), ['dir', 'moved']);
  assert.equal(guest.attributes(file.node).size, 5);
  guest.removeDirectory(1, 'dir');
  guest.unlink(1, 'moved');
  assert.deepEqual(readdirSync(share.path), []);
  // Open files live on without a name.
  guest.write(file.handle, 5, text('!'));
  assert.equal(guest.read(file.handle, 0, 100).toString(), 'hello!');
  assert.equal(guest.attributes(file.node).nlink, 0);
  guest.setAttributes(file.node, { mode: 0o600 });
  assert.equal(guest.attributes(file.node).mode, 0o100600);
  guest.release(file.handle);
  assert.throws(() => guest.read(file.handle, 0, 1), refused(EBADF));
});

test('symbolic and hard links are what they are, and are never followed by the host', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const link = guest.makeSymlink(1, 'out', '/etc/passwd');
  assert.equal(readlinkSync(share.on('out')), '/etc/passwd');
  assert.equal(guest.readLink(link.node), '/etc/passwd');
  assert.equal(link.mode & 0o170000, 0o120000);
  assert.throws(() => guest.open(link.node), refused(ENXIO));
  assert.throws(() => guest.lookUp(link.node, 'anything'), refused(ENOTDIR));
  assert.throws(() => guest.setAttributes(link.node, { size: 0 }), refused(ENXIO));
  writeFileSync(share.on('a'), 'x');
  const a = guest.lookUp(1, 'a');
  const b = guest.makeLink(a.node, 1, 'b');
  assert.equal(b.node, a.node);
  assert.equal(b.nlink, 2);
  guest.unlink(1, 'b');
  assert.equal(guest.attributes(a.node).nlink, 1);
  const linked = guest.makeLink(link.node, 1, 'out2');
  assert.equal(linked.node, link.node);
  assert.equal(lstatSync(share.on('out2')).isSymbolicLink(), true);
});

test('a directory that the host replaces by a link leads nowhere', async () => {
  await using share = new TestShare();
  await using other = new TestShare();
  writeFileSync(other.on('secret'), 'secret');
  mkdirSync(share.on('dir'));
  writeFileSync(share.on('dir/secret'), 'mine');
  const guest = share.guest();
  const directory = guest.lookUp(1, 'dir');
  renameSync(share.on('dir'), share.on('away'));
  symlinkSync(other.path, share.on('dir'));
  // Not yet opened: found to be another thing. Opened once: the same directory, wherever it is.
  assert.throws(() => guest.lookUp(directory.node, 'secret'));
  const again = guest.lookUp(1, 'away');
  assert.equal(again.node, directory.node);
  const { node } = guest.lookUp(again.node, 'secret');
  assert.equal(guest.read(guest.open(node).handle, 0, 100).toString(), 'mine');
  rmSync(share.on('away'), { recursive: true });
  symlinkSync(other.path, share.on('away'));
  assert.throws(() => guest.lookUp(again.node, 'secret'), refused(ENOENT));
});

test('names that are paths, or none, are refused', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  mkdirSync(share.on('dir'));
  const { node } = guest.lookUp(1, 'dir');
  for (const name of ['..', '.', '../x', 'dir/..', '/', '/etc', 'a/b']) {
    assert.throws(() => guest.lookUp(node, name), refused(EINVAL), name);
    assert.throws(() => guest.makeDirectory(node, name), refused(EINVAL), name);
    assert.throws(() => guest.create(node, name, O_RDWR), refused(EINVAL), name);
    assert.throws(() => guest.unlink(node, name), refused(EINVAL), name);
    assert.throws(() => guest.removeDirectory(node, name), refused(EINVAL), name);
    assert.throws(() => guest.rename(1, 'dir', 1, name), refused(EINVAL), name);
    assert.throws(() => guest.makeSymlink(node, name, 'x'), refused(EINVAL), name);
  }
  assert.throws(() => guest.lookUp(node, ''), refused(ENOENT));
  assert.throws(() => guest.lookUp(node, 'x'.repeat(256)), refused(36));
  assert.deepEqual(readdirSync(share.path), ['dir']);
});

test('names are bytes, in whatever encoding', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const name = 'caf\xe9 \x80\xff\x9f';
  const { handle } = guest.create(1, name, O_WRONLY);
  guest.write(handle, 0, text('x'));
  assert.deepEqual(guest.list(1), [name]);
  const onHost = readdirSync(Buffer.from(share.path), { encoding: 'buffer' });
  assert.deepEqual(onHost, [Buffer.from(name, 'latin1')]);
  assert.equal(guest.lookUp(1, name).size, 1);
  const link = guest.makeSymlink(1, 'link', name);
  assert.equal(guest.readLink(link.node), name);
});

test('directories are listed whole, in pieces, with and without attributes', async () => {
  await using share = new TestShare();
  const expected = Array.from(
    { length: 300 },
    (_, index) => `file-${index}-${'x'.repeat(index % 50)}`,
  );
  for (const name of expected) writeFileSync(share.on(name), '');
  const guest = share.guest();
  for (const plus of [false, true]) {
    for (const size of [512, 4096, 65536]) {
      assert.deepEqual(
        guest.list(1, { plus, size }).sort(),
        expected.toSorted(),
        `${plus} ${size}`,
      );
    }
  }
  // Told of with their attributes, they are known.
  assert.equal(guest.server.nodes, 301);
});

test('what may be nothing but read refuses every change, on both sides', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), 'kept');
  mkdirSync(share.on('dir'));
  const guest = share.guest({ readOnly: true });
  const { node } = guest.lookUp(1, 'file');
  const changes: (() => unknown)[] = [
    () => guest.open(node, O_WRONLY),
    () => guest.open(node, O_RDWR),
    () => guest.open(node, O_TRUNC),
    () => guest.create(1, 'new', O_RDWR),
    () => guest.makeDirectory(1, 'new'),
    () => guest.makeNode(1, 'new', 0o100644),
    () => guest.makeSymlink(1, 'new', 'x'),
    () => guest.makeLink(node, 1, 'new'),
    () => guest.unlink(1, 'file'),
    () => guest.removeDirectory(1, 'dir'),
    () => guest.rename(1, 'file', 1, 'new'),
    () => guest.setAttributes(node, { mode: 0o777 }),
    () => guest.setAttributes(node, { uid: 5 }),
    () => guest.setAttributes(node, { size: 0 }),
    () => guest.setAttributes(node, { times: 1 }),
    () => guest.write(guest.open(node).handle, 0, text('x')),
  ];
  for (const change of changes) assert.throws(change, refused(EROFS), String(change));
  assert.equal(guest.read(guest.open(node).handle, 0, 10).toString(), 'kept');
  assert.deepEqual(readdirSync(share.path), ['dir', 'file']);
});

test('owners, special bits and device nodes are the guest’s own; the host keeps plain files', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const made = guest.create(1, 'file', O_RDWR, 0o640);
  assert.deepEqual([made.uid, made.gid, made.mode], [0, 0, 0o100640]);
  const changed = guest.setAttributes(made.node, { uid: 1000, gid: 100, mode: 0o6755 });
  assert.deepEqual([changed.uid, changed.gid, changed.mode], [1000, 100, 0o106755]);
  const onHost = lstatSync(share.on('file'));
  assert.deepEqual([onHost.uid, onHost.mode], [process.getuid?.(), 0o100755]);
  const device = guest.makeNode(1, 'null', 0o020666, 0x103);
  assert.deepEqual([device.mode, device.device], [0o020666, 0x103]);
  assert.equal(lstatSync(share.on('null')).isFile(), true);
  assert.throws(() => guest.open(device.node), refused(ENXIO));
  assert.equal(guest.makeNode(1, 'pipe', 0o010600).mode, 0o010600);
  guest.uid = 33;
  guest.gid = 44;
  assert.equal(guest.makeDirectory(1, 'theirs').uid, 33);
  const locked = guest.create(1, 'locked', O_RDWR, 0);
  assert.equal(locked.mode, 0o100000);
  assert.equal(lstatSync(share.on('locked')).mode & 0o777, 0o400);
  guest.unlink(1, 'null');
  assert.equal(guest.makeNode(1, 'null', 0o100600).mode, 0o100600);
});

test('a mode that the host changes later is the mode', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const { node } = guest.create(1, 'file', O_RDWR, 0o4711);
  assert.equal(guest.attributes(node).mode, 0o104711);
  chmodSync(share.on('file'), 0o600);
  assert.equal(guest.attributes(node).mode, 0o100600);
});

test('files can be given to another user of the guest', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), '');
  const guest = share.guest({ uid: 1000 });
  assert.equal(guest.lookUp(1, 'file').uid, 1000);
  assert.equal(guest.attributes(1).gid, 1000);
});

test('a directory with the set-group-ID bit passes its group on', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const { node } = guest.makeDirectory(1, 'dir');
  guest.setAttributes(node, { gid: 50, mode: 0o2775 });
  assert.equal(guest.create(node, 'file', O_RDWR).gid, 50);
  const below = guest.makeDirectory(node, 'below');
  assert.deepEqual([below.gid, below.mode], [50, 0o042755]);
});

test('appending goes to the end, whoever wrote there last', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const { handle } = guest.create(1, 'log', O_WRONLY | O_APPEND);
  guest.write(handle, 0, text('one\n'));
  writeFileSync(share.on('log'), 'host\n', { flag: 'a' });
  guest.write(handle, 4, text('two\n'));
  assert.equal(readFileSync(share.on('log'), 'utf8'), 'one\nhost\ntwo\n');
});

test('times are set to what the guest says, and to the host’s now', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const { node } = guest.create(1, 'file', O_RDWR);
  guest.setAttributes(node, { times: 1_000_000_000 });
  assert.equal(lstatSync(share.on('file')).mtimeMs, 1e12);
  assert.equal(guest.attributes(node).mtime, 1_000_000_000_000_000_000n);
  guest.setAttributes(guest.makeSymlink(1, 'link', 'x').node, { times: 2_000_000_000 });
  assert.equal(lstatSync(share.on('link')).mtimeMs, 2e12);
});

test('renames respect what is there', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  for (const name of ['a', 'b']) writeFileSync(share.on(name), name);
  mkdirSync(share.on('full'));
  writeFileSync(share.on('full/x'), '');
  mkdirSync(share.on('empty'));
  const a = guest.lookUp(1, 'a');
  const b = guest.lookUp(1, 'b');
  assert.throws(() => guest.rename(1, 'a', 1, 'b', 1), refused(EEXIST));
  assert.throws(() => guest.rename(1, 'a', 1, 'b', 2), refused(EINVAL));
  assert.throws(() => guest.rename(1, 'empty', 1, 'full'), refused(ENOTEMPTY));
  const { handle } = guest.open(b.node);
  guest.rename(1, 'a', 1, 'b');
  assert.equal(guest.lookUp(1, 'b').node, a.node);
  assert.equal(guest.read(handle, 0, 10).toString(), 'b');
  assert.throws(() => guest.lookUp(1, 'a'), refused(ENOENT));
  assert.throws(() => guest.removeDirectory(1, 'full'), refused(ENOTEMPTY));
  assert.throws(() => guest.create(1, 'b', O_RDWR | O_EXCL), refused(EEXIST));
  // Made by somebody else meanwhile, without O_EXCL: opened.
  assert.equal(guest.create(1, 'b', O_RDWR).node, a.node);
});

test('a file that the host replaces is another file', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), 'old');
  const guest = share.guest();
  const old = guest.lookUp(1, 'file');
  writeFileSync(share.on('new'), 'newer');
  renameSync(share.on('new'), share.on('file'));
  assert.throws(() => guest.attributes(old.node), refused(ESTALE));
  assert.throws(() => guest.open(old.node), refused(ESTALE));
  const found = guest.lookUp(1, 'file');
  assert.notEqual(found.node, old.node);
  assert.equal(found.size, 5);
});

test('the guest keeps its cache of a file as long as nobody changes that', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), 'one');
  const guest = share.guest({
    // a day later
    wrap: (folder) => Object.assign(folder, { now: () => Date.now() / 1000 + 86_400 }),
  });
  const { node } = guest.lookUp(1, 'file');
  assert.equal(guest.open(node).keepsCache, false);
  assert.equal(guest.open(node).keepsCache, true);
  writeFileSync(share.on('file'), 'two!');
  assert.equal(guest.open(node).keepsCache, false);
  assert.equal(guest.open(node).keepsCache, true);
  utimesSync(share.on('file'), 1, 1);
  assert.equal(guest.open(node).keepsCache, false);
});

test('files become durable while other messages are served, and close afterwards', async () => {
  await using share = new TestShare();
  const guest = share.guest();
  const { handle } = guest.create(1, 'file', O_RDWR);
  guest.write(handle, 0, text('x'));
  let isDone = false;
  const sync = message(FUSE.FSYNC, 1, parts().u64(handle).u32(0, 0).build());
  guest.server.handle(sync, 4096, (answer) => {
    isDone = answer.length === 16;
  });
  assert.equal(isDone, false);
  guest.release(handle);
  assert.equal(guest.lookUp(1, 'file').size, 1);
  guest.server.settle();
  assert.equal(isDone, true);
  const directory = guest.openDirectory(1);
  guest.call(FUSE.FSYNCDIR, 1, parts().u64(directory).u32(0, 0).build());
});

test('a copy within the folder is made on the host', async () => {
  await using share = new TestShare();
  const contents = new Uint8Array(3_000_000).map((_, at) => at * 7);
  writeFileSync(share.on('from'), contents);
  const guest = share.guest();
  const from = guest.open(guest.lookUp(1, 'from').node).handle;
  const to = guest.create(1, 'to', O_WRONLY);
  const body = parts()
    .u64(from, 0, to.node, to.handle, 0, 2 ** 40, 0)
    .build();
  assert.equal(guest.call(FUSE.COPY_FILE_RANGE, 1, body).readUInt32LE(0), contents.length);
  assert.ok(readFileSync(share.on('to')).equals(contents));
});

test('a shared file stands alone in its folder', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), 'shared');
  writeFileSync(share.on('secret'), 'secret');
  const guest = share.guest({ wrap: (folder) => singleFile(folder, 'file') });
  assert.deepEqual(guest.list(1), ['file']);
  assert.throws(() => guest.lookUp(1, 'secret'), refused(ENOENT));
  assert.throws(() => guest.create(1, 'new', O_RDWR), refused(EACCES));
  assert.throws(() => guest.makeDirectory(1, 'new'), refused(EACCES));
  assert.throws(() => guest.unlink(1, 'file'), refused(EACCES));
  assert.throws(() => guest.rename(1, 'secret', 1, 'file'), refused(EACCES));
  assert.throws(() => guest.setAttributes(1, { mode: 0o777 }), refused(EACCES));
  const { node } = guest.lookUp(1, 'file');
  guest.write(guest.open(node, O_RDWR).handle, 0, text('S'));
  assert.equal(readFileSync(share.on('file'), 'utf8'), 'Shared');
  // As editors save: another file under the same name.
  writeFileSync(share.on('draft'), 'saved');
  renameSync(share.on('draft'), share.on('file'));
  assert.equal(guest.lookUp(1, 'file').size, 5);
  rmSync(share.on('file'));
  symlinkSync('secret', share.on('file'));
  assert.throws(() => guest.lookUp(1, 'file'), refused(ENOENT));
});

test('what the guest forgets is let go, and no earlier', async () => {
  await using share = new TestShare();
  mkdirSync(share.on('dir'));
  writeFileSync(share.on('dir/file'), '');
  const guest = share.guest();
  const directory = guest.lookUp(1, 'dir');
  const file = guest.lookUp(directory.node, 'file');
  assert.equal(guest.server.nodes, 3);
  guest.forget(directory.node);
  assert.equal(guest.attributes(file.node).size, 0);
  const { handle } = guest.open(file.node);
  guest.forget(file.node, 5);
  assert.equal(guest.server.nodes, 3);
  guest.release(handle);
  assert.equal(guest.server.nodes, 1);
  assert.throws(() => guest.attributes(file.node), refused(ESTALE));
});

test('deep trees work with few descriptors', async () => {
  await using share = new TestShare();
  const guest = share.guest({ wrap: (folder) => Object.assign(folder, { maxOpen: 64 }) });
  const before = readdirSync('/proc/self/fd').length;
  const nodes = [1];
  for (let depth = 0; depth < 200; depth++) {
    nodes.push(guest.makeDirectory(nodes.at(-1) as number, 'd').node);
  }
  for (const node of nodes.toReversed()) guest.release(guest.create(node, 'file', O_WRONLY).handle);
  for (const node of nodes) assert.equal(guest.lookUp(node, 'file').size, 0);
  assert.ok(readdirSync('/proc/self/fd').length - before <= 20);
  guest.server.reset();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('files that the guest may not open any more of are refused, not the host', async () => {
  await using share = new TestShare();
  writeFileSync(share.on('file'), '');
  const guest = share.guest({ wrap: (folder) => Object.assign(folder, { maxOpen: 64 }) });
  const { node } = guest.lookUp(1, 'file');
  for (let count = 0; count < 32; count++) guest.open(node);
  assert.throws(() => guest.open(node), refused(23));
  assert.throws(() => guest.openDirectory(1), refused(23));
});

test('a saved share goes on where it was: nodes, open files, open directories', async () => {
  await using share = new TestShare();
  mkdirSync(share.on('dir'));
  writeFileSync(share.on('dir/file'), 'contents');
  linkSync(share.on('dir/file'), share.on('also'));
  const guest = share.guest();
  const directory = guest.lookUp(1, 'dir');
  const file = guest.lookUp(directory.node, 'file');
  guest.lookUp(1, 'also');
  const { handle } = guest.open(file.node, O_RDWR);
  guest.openDirectory(directory.node);
  const saved = structuredClone(guest.server.persist.save());
  const other = new TestGuest(share.serve());
  other.makeDirectory(1, 'else');
  other.server.persist.restore(saved);
  assert.deepEqual(other.server.persist.save(), saved);
  assert.equal(other.read(handle, 0, 100).toString(), 'contents');
  other.write(handle, 0, text('C'));
  assert.equal(other.lookUp(1, 'also').node, file.node);
  assert.equal(other.lookUp(directory.node, 'file').node, file.node);
  assert.equal(readFileSync(share.on('dir/file'), 'utf8'), 'Contents');
  assert.throws(() => other.server.persist.restore({ ...saved, nextNode: 1 }), {
    code: 'snapshot-invalid',
  });
  const [first] = saved.nodes;
  const stray = { ...saved, nodes: [{ ...first, links: [{ parent: 1, name: '..' }] }] };
  assert.throws(() => other.server.persist.restore(stray), { code: 'snapshot-invalid' });
  assert.equal(existsSync(share.on('else')), true);
});

test('what is not there to serve is refused: before INIT, unknown messages, old versions', async () => {
  await using share = new TestShare();
  const server = share.serve();
  const errnos: number[] = [];
  const ask = (bytes: Uint8Array, room = 4096) =>
    server.handle(bytes, room, (answer) => {
      errnos.push(Math.abs(Buffer.from(answer).readInt32LE(4)));
    });
  ask(message(FUSE.GETATTR, 1, parts().u32(0, 0).u64(0).build()));
  ask(message(FUSE.INIT, 0, parts().u32(7, 22, 0, 0).build()));
  ask(message(FUSE.INIT, 0, parts().u32(7, 31, 0, 0).build()));
  ask(message(4711, 1));
  ask(message(FUSE.GETATTR, 1, parts().u32(0, 0).u64(0).build()), 20);
  ask(message(FUSE.GETATTR, 99, parts().u32(0, 0).u64(0).build()));
  ask(message(FUSE.WRITE, 1, parts().u64(1).build()));
  assert.deepEqual(errnos, [EIO, 71, 0, ENOSYS, EIO, ESTALE, EBADF]);
});
