/** What is found again without being looked at anew: targets of jumps, and regions of an archive. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RCX, STATE } from '../../../src/x86/state.ts';
import { CodeMachine, type EngineName } from './code-machine.ts';
import { type KernelCode, kernelCode } from './kernel-code.ts';
import { CODE, PAGE } from './layout.ts';

const BUDGET = 2000;
const ENGINES: readonly EngineName[] = ['reference', 'handlers', 'regions', 'ordered'];

/** RCX at the end, which must be a halt. */
function run(machine: CodeMachine, { image, enter }: KernelCode, budget = BUDGET): bigint {
  const { exit, state } = machine.run(image, enter, budget);
  assert.equal(exit, 'halt');
  return new DataView(state.buffer, state.byteOffset).getBigUint64(STATE.gpr + 8 * RCX, true);
}

for (const name of ENGINES) {
  describe(`the engine ${name}`, () => {
    test('a target that is written to is not what it was', () => {
      const code = kernelCode([
        [
          CODE,
          'bb00080100 be08000000' + // mov ebx, function; mov esi, 8
            'ffd3 ffce 75fa' + // call rbx; dec esi; jne
            'c7430102000000 be08000000' + // mov dword [rbx+1], 2; mov esi, 8
            'ffd3 01c1 ffce 75f8 f4', // call rbx; add ecx, eax; dec esi; jne; hlt
        ],
        [CODE + 0x800, 'b801000000 c3'], // mov eax, 1; ret
      ]);
      assert.equal(run(new CodeMachine(name), code), 16n);
    });
  });
}

describe('an archive', () => {
  /** Counts RCX up to `end`: inc ecx; cmp ecx, end; jne back; hlt. */
  const count = (end: number, at = CODE): KernelCode =>
    kernelCode([[at, `ffc1 81f9${end.toString(16).padStart(2, '0')}000000 75f6 f4`]], at);
  const trained = new CodeMachine('ordered');
  for (let i = 0; i < 20; i++) run(trained, count(100));
  const machine = (): CodeMachine => new CodeMachine('archived', undefined, trained.batches.kept);
  const adopted = ({ vcpu }: CodeMachine): number => Number(vcpu.stats()['regionsAdopted']);

  test('its regions are used where their code lies, in any page', () => {
    for (const at of [CODE, CODE + PAGE]) {
      const finder = machine();
      assert.equal(run(finder, count(100, at)), 100n);
      assert.ok(adopted(finder) > 0);
    }
  });

  test('code that differs in one byte, behind those by which it is looked up, is not theirs', () => {
    const finder = machine();
    assert.equal(run(finder, count(50)), 50n);
    assert.equal(adopted(finder), 0);
  });

  test('a region that lies twice has two tables', () => {
    const finder = machine();
    const [first, second] = [count(100), count(100, CODE + PAGE)];
    first.image.set(second.image.subarray(CODE + PAGE, CODE + PAGE + 16), CODE + PAGE);
    assert.equal(run(finder, first), 100n);
    assert.equal(run(finder, { ...second, image: first.image }), 100n);
    const both = adopted(finder);
    // The second one goes; the first is still whole.
    assert.equal(run(finder, first), 100n);
    assert.equal(run(finder, count(100)), 100n);
    assert.ok(both >= 2);
  });

  test('code of a region in a page of which nothing was decoded is watched as well', () => {
    // inc ecx; jmp into the next page, where: cmp ecx, end; jne back; jmp to the hlt in the first page
    const second = CODE + PAGE + 0x100;
    const far = (end: string, start?: number): KernelCode =>
      kernelCode(
        [
          [CODE, 'ffc1 e9f9100000'],
          [CODE + 0x80, 'f4'],
          [second, `81f9${end}000000 0f85f4eeffff e96fefffff`],
        ],
        start,
      );
    const teacher = new CodeMachine('ordered');
    // Begins in the second page, so that the region in the first finds it decoded.
    for (let i = 0; i < 20; i++) assert.equal(run(teacher, far('64', second)), 100n);
    const spans = teacher.batches.kept.some(({ regions }) =>
      regions.some((region) => region?.offset === 0 && region.pages.includes(1)),
    );
    assert.ok(spans, 'a region lies in both pages');
    const finder = new CodeMachine('archived', undefined, teacher.batches.kept);
    assert.equal(run(finder, far('64')), 100n);
    assert.ok(adopted(finder) > 0);
    // With another budget, so that it is not taken for the guard that failed last.
    assert.equal(run(finder, far('46'), BUDGET - 1), 70n);
  });

  test('code that is written to after its region was found is run as it is then', () => {
    const finder = machine();
    assert.equal(run(finder, count(100)), 100n);
    assert.equal(run(finder, count(70)), 70n);
    assert.equal(run(finder, count(100)), 100n);
  });
});
