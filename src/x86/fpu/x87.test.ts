import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestFault, MF } from '../fault.ts';
import { STATE } from '../state.ts';
import { interpret } from './interpret.fixture.ts';
import { missingHost, runOnHost, type X87Case } from './native-x87.fixture.ts';
import { Random, randomCase } from './random-x87.fixture.ts';
import { initializeFpu, statusWord } from './registers.ts';
import { describeCase, runInVivarium } from './run-x87.fixture.ts';
import { FpuStack } from './stack.ts';
import { TestCpu } from './test-cpu.fixture.ts';
import { FPU_C1 } from './words.ts';
import { exactCodes, transcendentalCodes } from './x87-codes.fixture.ts';

const seed = Number(process.env['VIVARIUM_SEED'] ?? 20261122);
const skip = missingHost() ?? false;

interface NamedCase {
  readonly name: string;
  readonly one: X87Case;
}

function randomCases(
  codes: Readonly<Record<string, readonly number[]>>,
  each: number,
): NamedCase[] {
  const random = new Random(seed);
  const cases: NamedCase[] = [];
  for (const [name, code] of Object.entries(codes)) {
    for (let i = 0; i < each; i++) {
      const options = { emptiness: random.pick([0, 0, 20, 100]), masked: random.below(2) === 0 };
      const one = randomCase(random, code, options);
      // FLDCW may unmask what is flagged: WAIT would then fault, so such flags stay masked.
      if (name === 'fldcw') one.memory[0] = (one.memory[0] ?? 0) | (one.status & 0x3f);
      cases.push({ name, one });
    }
  }
  return cases;
}

test("x87: every exact instruction gives the host processor's registers, flags and memory", {
  skip,
}, (context) => {
  context.diagnostic(`seed ${seed}`);
  const cases = randomCases(exactCodes, 80);
  const native = runOnHost(cases.map(({ one }) => one));
  const failures: string[] = [];
  cases.forEach(({ name, one }, i) => {
    const difference = describeCase(one, native[i] ?? assert.fail(), runInVivarium(one));
    if (difference !== undefined) failures.push(`${name}: ${difference}`);
  });
  assert.equal(failures.length, 0, `seed ${seed}\n${failures.slice(0, 5).join('\n')}`);
});

/** Distance of two registers in units of the last place; infinite when their kinds differ. */
function ulps(left: Uint8Array, right: Uint8Array, at: number): number {
  const word = (bytes: Uint8Array): bigint => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
    return (
      (BigInt(view.getUint16(8, true)) << 63n) + (view.getBigUint64(0, true) & ((1n << 63n) - 1n))
    );
  };
  const distance = word(left) - word(right);
  return Number(distance < 0n ? -distance : distance);
}

test('x87: transcendental instructions agree with the host processor within two units', {
  skip,
}, (context) => {
  context.diagnostic(`seed ${seed}`);
  const cases = randomCases(transcendentalCodes, 150);
  const native = runOnHost(cases.map(({ one }) => one));
  const failures: string[] = [];
  cases.forEach(({ name, one }, i) => {
    const theirs = native[i] ?? assert.fail();
    const mine = runInVivarium(one);
    let difference = describeCase(one, theirs, mine, { status: FPU_C1, registers: true });
    for (let at = 0; at < 128 && difference === undefined; at += 16) {
      if (ulps(theirs.stack, mine.stack, at) > 2) difference = describeCase(one, theirs, mine);
    }
    if (difference !== undefined) failures.push(`${name}: ${difference}`);
  });
  assert.equal(failures.length, 0, `seed ${seed}\n${failures.slice(0, 5).join('\n')}`);
});

function machineWith(control: number, ...stack: [number, bigint][]): TestCpu {
  const machine = new TestCpu();
  initializeFpu(machine.state);
  machine.state.set64(STATE.cr0, 0x31n);
  machine.state.set16(STATE.fpuControl, control);
  for (const [high, significand] of stack.reverse()) {
    new FpuStack(machine.state).push({
      sign: high >> 15,
      exponent: high & 0x7fff,
      significand,
    });
  }
  return machine;
}

function top(machine: TestCpu): string {
  const { sign, exponent, significand } = new FpuStack(machine.state).read(0);
  return `${((sign << 15) | exponent).toString(16)}:${significand.toString(16)}`;
}

const ONE: [number, bigint] = [0x3fff, 1n << 63n];
const THREE: [number, bigint] = [0x4000, 0xc000_0000_0000_0000n];
const FDIV_ST0_ST1 = [0xd8, 0xf1];

test('FDIV: 1/3 rounds by RC and PC', () => {
  const cases: [number, string][] = [
    [0x037f, '3ffd:aaaaaaaaaaaaaaab'],
    [0x077f, '3ffd:aaaaaaaaaaaaaaaa'],
    [0x0b7f, '3ffd:aaaaaaaaaaaaaaab'],
    [0x0f7f, '3ffd:aaaaaaaaaaaaaaaa'],
    [0x027f, '3ffd:aaaaaaaaaaaaa800'],
    [0x0a7f, '3ffd:aaaaaaaaaaaab000'],
    [0x007f, '3ffd:aaaaab0000000000'],
  ];
  for (const [control, expected] of cases) {
    const machine = machineWith(control, ONE, THREE);
    interpret(machine, FDIV_ST0_ST1);
    assert.equal(top(machine), expected, control.toString(16));
  }
});

test('FDIV by zero with ZE unmasked keeps the operands and faults at the next waiting instruction', () => {
  const machine = machineWith(0x037b, ONE, [0, 0n]);
  interpret(machine, FDIV_ST0_ST1);
  assert.equal(top(machine), '3fff:8000000000000000');
  assert.equal(statusWord(machine.state) & 0x80ff, 0x8084);
  assert.throws(
    () => interpret(machine, [0x9b]),
    (error) => error instanceof GuestFault && error.vector === MF,
  );
  interpret(machine, [0xdb, 0xe2]); // FNCLEX does not wait
  interpret(machine, [0x9b]);
});

test('a pending exception is not reported while CR0.NE is clear', () => {
  const machine = machineWith(0x037b, ONE, [0, 0n]);
  interpret(machine, FDIV_ST0_ST1);
  machine.state.set64(STATE.cr0, 0x11n);
  interpret(machine, [0x9b]);
});

test('FSIN of the rounded pi shows the 66-bit pi of the reduction', () => {
  const machine = machineWith(0x037f, [0x4000, 0xc90f_daa2_2168_c235n]);
  interpret(machine, [0xd9, 0xfe]);
  assert.equal(top(machine), 'bfbf:8000000000000000');
});

test('FPREM reduces a huge argument step by step and reports the quotient bits', () => {
  // 2^100 mod 3 = 1, quotient (2^100 - 1) / 3 ends in binary 101
  const machine = machineWith(0x037f, [0x3fff + 100, 1n << 63n], THREE);
  let steps = 0;
  do {
    interpret(machine, [0xd9, 0xf8]);
    steps++;
  } while ((statusWord(machine.state) & 0x400) !== 0);
  assert.ok(steps > 1);
  assert.equal(top(machine), '3fff:8000000000000000');
  assert.equal(statusWord(machine.state) & 0x4300, 0x0300, 'C0 and C1 set, C3 clear');
});

test('FPREM by infinity hands a tiny dividend on without an underflow, by a number it does not', () => {
  const tiny: [number, bigint] = [0, 0x44c3_3ed5_a79d_257en];
  for (const code of [
    [0xd9, 0xf8],
    [0xd9, 0xf5],
  ]) {
    // underflow is not masked
    const machine = machineWith(0x036f, tiny, [0x7fff, 1n << 63n]);
    interpret(machine, code);
    assert.equal(top(machine), '0:44c33ed5a79d257e');
    assert.equal(statusWord(machine.state) & 0x80ff, 0x02, 'a denormal operand');
    const other = machineWith(0x036f, tiny, ONE);
    interpret(other, code);
    assert.equal(statusWord(other.state) & 0x80ff, 0x8092);
  }
});

test('a store that page-faults leaves stack and status word alone', () => {
  const machine = machineWith(0x037f, [0x3ffd, 0xaaaa_aaaa_aaaa_aaabn]);
  machine.state.setGpr(6, 0x1_0000n);
  const before = machine.state.u8.slice(STATE.fpuControl, STATE.xmm);
  for (const code of [
    [0xd9, 0x1e],
    [0xdd, 0x1e],
    [0xdb, 0x3e],
    [0xdf, 0x36],
    [0xdf, 0x3e],
  ]) {
    assert.throws(() => interpret(machine, code), GuestFault);
    assert.deepEqual(machine.state.u8.slice(STATE.fpuControl, STATE.xmm), before);
  }
});
