/** Rounds of the shared folder's fuzzers, each determined by its seed. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { MAX_FILE_MESSAGE_BYTES } from '../../../src/bus/mod.ts';
import { seededRandom } from '../../../src/net/test-kit.fixture.ts';
import { FUSE } from '../../../src/share/fuse/spec.ts';
import { message, parts, TestShare } from '../../../src/share/guest.fixture.ts';
import { singleFile } from '../../../src/share/single-file.ts';
import { tracked } from './tracked.ts';

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const pick = <T>(random: Random, from: readonly T[]) => from[below(random, from.length)] as T;

const NAMES = ['a', 'b', 'dir', 'file', 'link', 'x\xe9', 'secret', 'outside'];
const HOSTILE = ['..', '.', '', '/', '../outside', 'a/b', 'a\0b', 'n'.repeat(255), 'n'.repeat(256)];
const MODES = [0o644, 0o755, 0, 0o7777, 0o100644, 0o020666, 0o010600, 0o140755, 0o120777, 0o040755];

/** A folder in a folder: what must stay as it is lies around the shared one. */
function prepare(share: TestShare): { readonly inner: string; check(): void } {
  const inner = join(share.path, 'inner');
  mkdirSync(inner);
  mkdirSync(join(inner, 'dir'));
  writeFileSync(join(inner, 'file'), 'file');
  writeFileSync(join(share.path, 'outside'), 'outside');
  writeFileSync(join(share.path, 'secret'), 'secret');
  symlinkSync('../outside', join(inner, 'link'));
  symlinkSync('..', join(inner, 'up'));
  symlinkSync('/', join(inner, 'root'));
  return {
    inner,
    check() {
      assert.deepEqual(readdirSync(share.path), ['inner', 'outside', 'secret']);
      for (const name of ['outside', 'secret']) {
        const stats = lstatSync(join(share.path, name));
        assert.equal(readFileSync(join(share.path, name), 'utf8'), name);
        assert.equal(stats.nlink, 1, name);
        assert.equal(stats.mode, 0o100644, name);
      }
    },
  };
}

/** Numbers that the server gave out, most of them still good. */
interface Known {
  readonly nodes: number[];
  readonly files: number[];
}

const LOSSES: readonly number[] = [
  FUSE.FORGET,
  FUSE.BATCH_FORGET,
  FUSE.RELEASE,
  FUSE.RELEASEDIR,
  FUSE.UNLINK,
];
const ENTRIES: readonly number[] = [
  FUSE.LOOKUP,
  FUSE.MKDIR,
  FUSE.MKNOD,
  FUSE.SYMLINK,
  FUSE.LINK,
  FUSE.CREATE,
];

/** Takes down the numbers in an answer. */
function learn(known: Known, opcode: number, answer: Uint8Array): void {
  if (answer.length <= 16) return;
  const bytes = Buffer.from(answer);
  if (ENTRIES.includes(opcode)) known.nodes.push(Number(bytes.readBigUInt64LE(16)));
  if (opcode === FUSE.OPEN || opcode === FUSE.OPENDIR) {
    known.files.push(Number(bytes.readBigUInt64LE(16)));
  }
  if (opcode === FUSE.CREATE) known.files.push(Number(bytes.readBigUInt64LE(16 + 128)));
}

/**
 * Sends messages of a hostile guest: any operation, any node and handle, broken lengths, names that lead elsewhere, while
 * the host moves things about. What must hold: no exception, every message is answered at most once and within its
 * room, nothing outside the folder changes, and what is saved can be restored.
 */
export async function hostileRound(seed: number): Promise<number> {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 10; warm++) random();
  await using outer = new TestShare();
  const place = prepare(outer);
  await using share = new TestShare(place.inner);
  const isReadOnly = random() < 0.15;
  const isSingle = random() < 0.15;
  let open: ReadonlySet<number> = new Set();
  const server = share.serve({
    readOnly: isReadOnly,
    wrap(folder) {
      const watched = tracked(folder);
      open = watched.open;
      return isSingle ? singleFile(watched.folder, 'file') : watched.folder;
    },
  });
  const before = isReadOnly ? readdirSync(place.inner).join() : '';
  const known: Known = { nodes: [1], files: [] };
  const send = (bytes: Uint8Array, room: number) => {
    let answers = 0;
    server.handle(bytes, room, (answer) => {
      answers++;
      assert.ok(answer.length <= room, `an answer of ${answer.length} bytes in ${room}`);
      if (answer.length > 0) assert.ok(answer.length >= 16);
      learn(known, bytes[4] ?? 0, answer);
    });
    if (answers === 0) server.settle();
    assert.equal(answers, 1);
  };
  const start = () => {
    known.nodes.splice(0, known.nodes.length, 1);
    known.files.splice(0);
    send(message(FUSE.INIT, 0, parts().u32(7, 38, 0, 0).build()), 4096);
  };
  start();
  const count = 600;
  for (let step = 0; step < count; step++) {
    const bytes = hostileMessage(random, known);
    send(bytes, random() < 0.95 ? MAX_FILE_MESSAGE_BYTES : below(random, 300));
    if (random() < 0.005) start();
    if (random() < 0.02) server.persist.restore(structuredClone(server.persist.save()));
    if (!isReadOnly && random() < 0.05) stir(random, place.inner);
  }
  server.reset();
  assert.equal(open.size, 1, 'descriptors that nobody closed');
  place.check();
  if (isReadOnly) assert.equal(readdirSync(place.inner).join(), before);
  return count;
}

/** A message that is mostly well-formed, so that it gets far. */
function hostileMessage(random: Random, { nodes, files }: Known): Uint8Array {
  const any = () => pick(random, [0, 1, below(random, 40), 2 ** 31, 2 ** 53]);
  // Directories among the nodes are few: the root is tried often.
  const id = () => (random() < 0.1 ? any() : random() < 0.3 ? 1 : pick(random, nodes));
  const handle = () =>
    random() < 0.1 || files.length === 0 ? any() : pick(random, files.slice(-8));
  const offset = () => pick(random, [0, 1, 100, 5000, 2 ** 31, 2 ** 40, 2 ** 53, 2 ** 63]);
  const name = () => (random() < 0.8 ? pick(random, NAMES) : pick(random, HOSTILE));
  const size = () => pick(random, [0, 1, 100, 4096, 70_000, 2 ** 20, 2 ** 32 - 1]);
  const mode = () => pick(random, MODES);
  const flags = () => pick(random, [0, 1, 2, 0o1002, 0o2001, 0o202, 0o100000, 0o4010002, 3]);
  const bodies: Readonly<Record<number, () => ReturnType<typeof parts>>> = {
    [FUSE.LOOKUP]: () => parts().text(name()),
    [FUSE.FORGET]: () => parts().u64(pick(random, [0, 1, 2, 2 ** 53])),
    [FUSE.GETATTR]: () => parts().u32(below(random, 2), 0).u64(handle()),
    [FUSE.SETATTR]: () =>
      parts()
        .u32(below(random, 4096), 0)
        .u64(handle(), below(random, 100_000), 0, offset(), -offset(), 0)
        .u32(0, below(random, 2 ** 32), 0, mode(), 0, below(random, 2000), 5, 0),
    [FUSE.READLINK]: () => parts(),
    [FUSE.SYMLINK]: () => parts().text(name(), pick(random, [...HOSTILE, '/etc', '../outside'])),
    [FUSE.MKNOD]: () =>
      parts()
        .u32(mode(), below(random, 2 ** 32), 0, 0)
        .text(name()),
    [FUSE.MKDIR]: () => parts().u32(mode(), 0).text(name()),
    [FUSE.UNLINK]: () => parts().text(name()),
    [FUSE.RMDIR]: () => parts().text(name()),
    [FUSE.RENAME]: () => parts().u64(id()).text(name(), name()),
    [FUSE.RENAME2]: () => parts().u64(id()).u32(below(random, 4), 0).text(name(), name()),
    [FUSE.LINK]: () => parts().u64(id()).text(name()),
    [FUSE.OPEN]: () => parts().u32(flags(), 0),
    [FUSE.CREATE]: () => parts().u32(flags(), mode(), 0, 0).text(name()),
    [FUSE.READ]: () => parts().u64(handle(), offset()).u32(size(), 0).u64(0).u32(0, 0),
    [FUSE.WRITE]: () => {
      const bytes = new Uint8Array(below(random, 3000));
      const claimed = random() < 0.9 ? bytes.length : size();
      const at = random() < 0.9 ? below(random, 10_000) : pick(random, [2 ** 53, 2 ** 63]);
      return parts().u64(handle(), at).u32(claimed, 0).u64(0).u32(0, 0).bytes(bytes);
    },
    [FUSE.COPY_FILE_RANGE]: () =>
      parts().u64(handle(), below(random, 5000), id(), handle(), below(random, 5000), size(), 0),
    [FUSE.STATFS]: () => parts(),
    [FUSE.RELEASE]: () => parts().u64(handle()).u32(0, 0).u64(0),
    [FUSE.FSYNC]: () => parts().u64(handle()).u32(below(random, 2), 0),
    [FUSE.OPENDIR]: () => parts().u32(0, 0),
    [FUSE.READDIR]: () => parts().u64(handle(), offset()).u32(size(), 0).u64(0),
    [FUSE.READDIRPLUS]: () => parts().u64(handle(), offset()).u32(size(), 0).u64(0),
    [FUSE.RELEASEDIR]: () => parts().u64(handle()).u32(0, 0).u64(0),
    [FUSE.FSYNCDIR]: () => parts().u64(handle()).u32(0, 0),
    [FUSE.BATCH_FORGET]: () =>
      parts()
        .u32(pick(random, [0, 1, 2, 2 ** 31]), 0)
        .u64(id(), 1),
  };
  const opcodes = Object.keys(bodies).map(Number);
  const opcode = random() < 0.97 ? pick(random, opcodes) : below(random, 70);
  // What makes the guest know less is rare.
  const isLoss = LOSSES.includes(opcode) && random() < 0.7;
  // Never ended by chance: a new session closes all files.
  const chosen = opcode === FUSE.INIT || opcode === FUSE.DESTROY || isLoss ? FUSE.LOOKUP : opcode;
  const whole = message(chosen, id(), bodies[chosen]?.().build(), { uid: below(random, 3) });
  if (random() < 0.95) return whole;
  return whole.subarray(0, below(random, whole.length + 1));
}

/** The host puts things where there are none. */
function stir(random: Random, inner: string): void {
  const path = join(inner, pick(random, ['a', 'b', 'dir', 'file']));
  try {
    switch (below(random, 3)) {
      case 0:
        symlinkSync(pick(random, ['..', '../outside', '/']), path);
        break;
      case 1:
        writeFileSync(path, 'host', { flag: 'wx' });
        break;
      default:
        mkdirSync(path);
    }
  } catch {
    // There is something already.
  }
}

/** What two folders hold, names and contents. */
export function snapshot(path: string): unknown {
  const result: Record<string, unknown> = {};
  for (const name of readdirSync(path).sort()) {
    const stats = lstatSync(join(path, name));
    if (stats.isDirectory()) result[name] = snapshot(join(path, name));
    else result[name] = [stats.mode, stats.nlink, readFileSync(join(path, name), 'latin1')];
  }
  return result;
}
