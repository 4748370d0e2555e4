import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cpu, CpuState, type Helper, helpers, STATE } from '../x86/mod.ts';
import { compileRoutines } from './routines.ts';

const PAGES = 1;
const BASE = 4096;

/** A generator of 32-bit numbers (Marsaglia's xorshift), the same in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
const quick = new CpuState(memory.buffer, BASE);
const careful = new CpuState(new ArrayBuffer(8192), BASE);
const written: bigint[] = [];
const cpu = {
  state: careful,
  writeLinear: (_address: bigint, _bytes: number, value: bigint) => written.push(value),
} as unknown as Cpu;
const routines = compileRoutines(helpers, memory, PAGES, BASE);

const routine = (name: string, ...args: (number | bigint)[]): number =>
  (routines[name] as (...args: (number | bigint)[]) => number)(...args);
const helper = (name: string, ...args: (number | bigint)[]): void =>
  (helpers[name] as Helper).run(cpu, ...args);

/** The state block but for scratch space. */
function block(state: CpuState): string {
  return Buffer.from(state.u8.slice(STATE.fpuControl, STATE.xmm)).toString('hex');
}

const random = generator(0x2468_ace1);
const random64 = (): bigint => (BigInt(random()) << 32n) | BigInt(random());

/** A number whose significand has long runs, and whose exponent is near the middle. */
function setNumber(physical: number): void {
  let significand = random64() | (1n << 63n);
  if (random() % 3 === 0) significand &= ~((1n << BigInt(random() % 63)) - 1n);
  if (random() % 3 === 0) significand |= (1n << BigInt(random() % 63)) - 1n;
  const spread = [4, 70, 140, 0x3f00][random() % 4] as number;
  const exponent = 0x3fff + (random() % (2 * spread)) - spread;
  const zero = random() % 16 === 0;
  for (const state of [quick, careful]) {
    state.set64(STATE.fpr + 16 * physical, zero ? 0n : significand);
    state.set16(
      STATE.fpr + 16 * physical + 8,
      (zero ? 0 : exponent) | (significand & 4n ? 0x8000 : 0),
    );
  }
}

function prepare(control: number): void {
  for (let i = 0; i < 8; i++) setNumber(i);
  const top = random() % 8;
  const status = random() & 0x4700;
  for (const state of [quick, careful]) {
    state.set16(STATE.fpuControl, control);
    state.set16(STATE.fpuStatus, status);
    state.set32(STATE.fpuTop, top);
    state.set32(STATE.fpuValid, 0xff ^ (1 << ((top + 7) & 7)));
  }
}

/** Runs both ways; returns whether the routine did its work, which then must be the helper's. */
function same(
  name: string,
  args: (number | bigint)[],
  slow: string,
  slowArgs: (number | bigint)[],
): boolean {
  const before = block(quick);
  const done = routine(name, ...args) !== 0;
  if (!done) {
    assert.equal(block(quick), before, `${name} changed the state and did nothing`);
    return false;
  }
  helper(slow, ...slowArgs);
  assert.equal(block(quick), block(careful), `${name}(${args}), from ${before}`);
  return true;
}

/** Runs `step` often, and expects it to be quick most of the time. */
function often(count: number, step: (control: number) => boolean): void {
  let done = 0;
  for (let i = 0; i < count; i++) {
    // 53 or 64 bits, to nearest
    const control = random() % 2 === 0 ? 0x037f : 0x027f;
    prepare(control);
    if (step(control)) done++;
  }
  assert.ok(done > count / 3, `${done} of ${count} were quick`);
}

const OPERATIONS = [
  ['x87QuickAdd', 0, 0],
  ['x87QuickMultiply', 1, 0],
  ['x87QuickAdd', 4, 1],
  ['x87QuickAdd', 5, 2],
  ['x87QuickDivide', 6, 0],
  ['x87QuickDivide', 7, 1],
] as const;

for (const [name, op, flags] of OPERATIONS) {
  test(`${name} with flags ${flags} gives what exact arithmetic gives`, () => {
    often(4000, () => {
      const [to, from, pops] = [random() % 7, random() % 7, random() % 2];
      return same(name, [to, from, flags | (pops * 4)], 'x87Binary', [op, to, from, pops]);
    });
  });
}

test('operands from memory of every format are added as exact arithmetic adds them', () => {
  often(4000, () => {
    const kind = random() % 4;
    const width = [32, 64, 16, 32][kind] as number;
    const bits = kind < 2 ? BigInt.asUintN(width, random64()) : BigInt.asIntN(width, random64());
    const [low, high] = [
      Number(BigInt.asIntN(32, bits)),
      Number(BigInt.asIntN(32, bits >> 32n)),
    ] as const;
    return same('x87QuickAddMemory', [kind, bits, 0], 'x87BinaryMemory', [0, kind, low, high]);
  });
});

test('square roots are those of exact arithmetic', () => {
  often(6000, () => same('x87QuickRoot', [], 'x87SquareRoot', []));
});

test('numbers loaded from memory are those that were stored there', () => {
  often(4000, () => {
    const kind = random() % 5;
    const width = [32, 64, 16, 32, 64][kind] as number;
    const bits = kind < 2 ? BigInt.asUintN(width, random64()) : BigInt.asIntN(width, random64());
    const [low, high] = [
      Number(BigInt.asIntN(32, bits)),
      Number(BigInt.asIntN(32, bits >> 32n)),
    ] as const;
    return same('x87QuickLoad', [kind, bits], 'x87Load', [kind, low, high]);
  });
});

test('what is stored is rounded as exact arithmetic rounds it', () => {
  let done = 0;
  for (let i = 0; i < 12_000; i++) {
    prepare(random() % 2 === 0 ? 0x037f : 0x0f7f);
    const kind = [0, 1, 2, 3, 4, 10, 11, 12][random() % 8] as number;
    if (routine('x87QuickStoring', kind) === 0) continue;
    done++;
    written.length = 0;
    helper('x87Store', kind, 0n, 0);
    const width = [32, 64, 16, 32, 64][kind & 7] as number;
    const found = BigInt.asUintN(width, quick.get64(STATE.scratch));
    assert.equal(found, BigInt.asUintN(width, written[0] as bigint), `kind ${kind}`);
    assert.equal(quick.get32(STATE.scratch + 8), careful.get16(STATE.fpuStatus));
  }
  assert.ok(done > 2000, `${done} were quick`);
});

test('comparisons, exchanges, copies and signs are the same', () => {
  often(6000, () => {
    const [index, pops] = [random() % 7, random() % 2];
    switch (random() % 5) {
      case 0:
        return same('x87QuickCompare', [index, pops], 'x87Compare', [index, 0, pops]);
      case 1:
        return same('x87QuickExchange', [index], 'x87Exchange', [index]);
      case 2:
        return same('x87QuickLoadRegister', [index], 'x87LoadRegister', [index]);
      case 3:
        return same('x87QuickStoreRegister', [index, pops], 'x87StoreRegister', [index, pops]);
      default:
        return same('x87QuickSign', [pops], 'x87ChangeSign', [pops]);
    }
  });
});
