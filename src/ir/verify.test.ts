import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Body, Builder, type Node, type Value } from './mod.ts';
import { printBody } from './print.ts';
import { problemsOf, verifyBody } from './verify.ts';

const field = (offset: number) => ({ kind: 'fixed', offset }) as const;

function build(meaning: (b: Builder) => void): Body {
  const b = new Builder();
  meaning(b);
  return b.finish();
}

function rejects(message: RegExp, meaning: (b: Builder) => void): void {
  const problems = problemsOf(build(meaning));
  assert.equal(problems.length, 1, problems.join('\n'));
  assert.match(problems[0] ?? '', message);
}

test('verify: a read-modify-write that writes state last is valid', () => {
  const body = build((b) => {
    const loaded = b.loadForUpdate(b.readState(field(0), 'i64'), 32, true);
    const sum = b.add(loaded, b.i64(1));
    b.storeBack(loaded, sum);
    b.writeState(field(8), 'i64', sum);
  });
  verifyBody(body);
});

test('verify: a load after a state write is rejected', () => {
  rejects(/fault is possible after an effect: %\d+ = memory\.load/, (b) => {
    b.writeState(field(0), 'i64', b.i64(1));
    b.load(b.i64(0x1000), 8);
  });
});

test('verify: scratch fields may be written before a fault', () => {
  const body = build((b) => {
    b.writeState(field(64), 'i64', b.i64(1));
    b.load(b.i64(0x1000), 8);
  });
  assert.equal(problemsOf(body).length, 1);
  verifyBody(body, { scratch: (offset) => offset === 64 });
});

test('verify: a second store is rejected, for the first may have been done', () => {
  rejects(/memory\.store/, (b) => {
    b.store(b.i64(0x1000), 8, b.i64(1));
    b.store(b.i64(0x2000), 8, b.i64(1));
  });
});

test('verify: a write in one branch forbids a fault after both', () => {
  rejects(/fault 13/, (b) => {
    b.if(b.wrap(b.readState(field(0), 'i64')), () => b.writeState(field(8), 'i64', b.i64(0)));
    b.fault(13);
  });
});

test('verify: a branch that leaves does not count for what follows', () => {
  verifyBody(
    build((b) => {
      b.if(b.wrap(b.readState(field(0), 'i64')), () => {
        b.writeState(field(8), 'i64', b.i64(0));
        b.branch(b.i64(0));
      });
      b.store(b.i64(0x1000), 8, b.i64(1));
    }),
  );
});

test('verify: a loop that loads after it wrote is rejected, though the load stands first', () => {
  rejects(/memory\.load/, (b) => {
    b.loop(() => {
      const value = b.load(b.i64(0x1000), 8);
      b.writeState(field(8), 'i64', value);
      return b.wrap(value);
    });
  });
});

test('verify: a value may not leave the block that computes it', () => {
  rejects(/i64\.add is used outside the block/, (b) => {
    let inner: Value | undefined;
    const value = b.readState(field(0), 'i64');
    b.if(b.wrap(value), () => {
      inner = b.add(value, value);
    });
    assert.ok(inner);
    b.writeState(field(8), 'i64', inner);
  });
});

test('verify: arguments of the wrong type are rejected', () => {
  const b = new Builder();
  const value = b.readState(field(0), 'i64');
  const body = b.finish();
  const forged: Node = {
    op: 'i32.add',
    type: 'i32',
    args: [value, value],
    imm: undefined,
    field: undefined,
    access: undefined,
    blocks: undefined,
    uses: 0,
  };
  const block = [...body.block, forged];
  assert.match(
    problemsOf({ block, locals: [] })[0] ?? '',
    /takes \(i32, i32, i32\) but has \(i64, i64, i32\)/,
  );
});

test('verify: a helper is an effect that may fault, unless its traits say otherwise', () => {
  const body = build((b) => {
    b.helper('check', b.i32(1));
    b.load(b.i64(0), 8);
    b.helper('commit');
    b.helper('note');
  });
  const helper = (name: string) =>
    (
      ({
        check: { params: ['i32'], checks: true },
        commit: { params: [] },
        note: { params: [], total: true },
      }) as const
    )[name];
  verifyBody(body, { helper });
  assert.equal(problemsOf(body).length, 3);
  const wrong = build((b) => b.helper('check', b.i64(1)));
  assert.match(problemsOf(wrong, { helper })[0] ?? '', /takes \(i32\) but has \(i64\)/);
  const unknown = build((b) => b.helper('absent'));
  assert.match(problemsOf(unknown, { helper })[0] ?? '', /no helper absent/);
});

test('print: a body reads in program order, with constants in place', () => {
  const body = build((b) => {
    const count = b.local('i32');
    const value = b.load(
      b.readState({ kind: 'slot', slot: 'a', displacement: 4 }, 'i64'),
      32,
      true,
    );
    b.set(count, b.i32(3));
    b.loop(() => {
      b.set(count, b.sub(b.get(count), b.i32(1)));
      return b.get(count);
    });
    b.if(
      b.eqz(value),
      () => b.fault(13, 8),
      () => b.helper('done', b.i64(16)),
    );
    b.writeState(field(144), 'i64', value);
  });
  const fieldName = (offset: number): string | undefined => (offset === 144 ? 'flagZ' : undefined);
  assert.equal(
    printBody(body, { fieldName }),
    [
      'local $0 i32',
      '%0 = state.read i64 [a + 4]',
      '%1 = memory.load 32s %0',
      '$0 = 3',
      'loop {',
      '  %2 = $0',
      '  %3 = i32.sub %2, 1',
      '  $0 = %3',
      '  %4 = $0',
      '} while %4',
      '%5 = i64.eqz %1',
      'if %5 {',
      '  fault 13(0x8)',
      '} else {',
      '  helper done 0x10',
      '}',
      'state.write i64 [flagZ], %1',
      '',
    ].join('\n'),
  );
});
