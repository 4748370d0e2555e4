/** Limits and rights of segments, compared with the host's own processor through a local descriptor table. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CpuState, DS, GP, SEGMENT, SSF, STATE, segmentAllows } from '../../src/x86/mod.ts';

const DATA = 0;
const DOWN = 1;
const CODE = 2;

interface Case {
  readonly kind: number;
  readonly big: number;
  /** read-only data, or code that cannot be read */
  readonly restricted: number;
  readonly pages: number;
  readonly limit: number;
  readonly offset: number;
  readonly bytes: number;
  readonly writes: number;
  readonly stack: number;
}

/** What the model does: 0, or the vector of the exception. */
function outcomeOf(each: Case): number {
  const type =
    (each.kind === CODE ? 8 : each.kind === DOWN ? 4 : 0) | (each.restricted ? 0 : 2) | 1;
  const attributes = 0xf0 | type | (each.big << 14) | (each.pages << 15);
  const limit = each.pages ? ((each.limit << 12) | 0xfff) >>> 0 : each.limit;
  const state = new CpuState(new ArrayBuffer(STATE.size), 0);
  state.set32(STATE.cr0, 1);
  state.setSegment(DS, 7, attributes, limit, 0n);
  const at = STATE.segments + DS * SEGMENT.bytes;
  const top = state.get32(at + (each.writes ? SEGMENT.writeTop : SEGMENT.readTop));
  const quick = each.offset + each.bytes - 1 < top;
  const allowed = segmentAllows(
    attributes,
    limit,
    false,
    each.offset,
    each.bytes,
    each.writes !== 0,
  );
  assert.ok(allowed || !quick, 'the quick test lets nothing through that the whole one refuses');
  return allowed ? 0 : each.stack ? SSF : GP;
}

/** Every combination around the places where something changes. */
function* cases(): Generator<Case> {
  const limits = [0, 1, 14, 15, 0xffe, 0xfff, 0x1000, 0xfffe, 0xffff, 0x1_0000, 0x1_ffff, 0xf_ffff];
  for (const kind of [DATA, DOWN, CODE])
    for (const big of [0, 1])
      for (const restricted of [0, 1])
        for (const pages of [0, 1])
          for (const limit of limits)
            for (const bytes of [1, 2, 4, 8, 16])
              for (const writes of [0, 1])
                for (const stack of kind === CODE || restricted ? [0] : [0, 1])
                  for (const offset of offsetsOf(pages ? limit * 4096 + 4095 : limit, bytes))
                    yield { kind, big, restricted, pages, limit, offset, bytes, writes, stack };
}

function offsetsOf(limit: number, bytes: number): number[] {
  const edges = [0, limit + 1, 0x1_0000, 2 ** 32];
  const offsets = edges.flatMap((edge) => [edge - bytes - 1, edge - bytes, edge - bytes + 1, edge]);
  // Where the host's program has memory, and no wrap at 4 GiB, which processors treat differently.
  return offsets.filter(
    (offset) =>
      offset >= 0 &&
      offset + bytes <= 2 ** 32 &&
      (offset + bytes <= 0x4_0000 || offset >= 0xffff_0000),
  );
}

const cannotRun =
  process.platform !== 'linux' || process.arch !== 'x64' || spawnSync('gcc', ['--version']).status
    ? 'no gcc on Linux for x86-64'
    : false;

test('the host agrees about every access around the edges of segments', {
  skip: cannotRun,
}, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-segments-'));
  try {
    const program = join(directory, 'segments');
    const source = join(import.meta.dirname, 'native', 'segments.c');
    execFileSync('gcc', ['-O1', '-o', program, source], { stdio: 'pipe' });
    const all = [...cases()];
    const input = all.map((each) => Object.values(each).join(' ')).join('\n');
    const { stdout, status } = spawnSync(program, { input, encoding: 'latin1' });
    if (status === 3) {
      t.skip('this host has no local descriptor tables');
      return;
    }
    assert.equal(status, 0, 'the program on the host ended');
    const native = stdout.trimEnd().split('\n').map(Number);
    assert.equal(native.length, all.length);
    const different = all.filter((each, index) => outcomeOf(each) !== native[index]);
    t.diagnostic(`${all.length} accesses`);
    assert.deepEqual(different.slice(0, 10), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
