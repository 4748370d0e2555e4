/** Code where pages, breakpoints, memory and the address space end: places that random code seldom gets to. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CpuState } from '../../../src/x86/mod.ts';
import { CS, DS, ES, FS, GS, RAX, RCX, RDI, RSI, SS, STATE } from '../../../src/x86/state.ts';
import { CR0 } from '../../../src/x86/system/mod.ts';
import { Random } from '../../oracle/random.ts';
import { CodeMachine, type Ending, type EngineName } from './code-machine.ts';
import {
  CODE,
  DATA,
  FAULTS_LEFT,
  HANDLER_BYTES,
  HANDLERS,
  PAGE,
  PAGE_TABLES,
  RAM_BYTES,
  SELECTOR,
} from './layout.ts';
import { type World, worlds } from './worlds.ts';

const ENGINES: readonly EngineName[] = ['reference', 'handlers', 'regions', 'ordered'];
const BUDGET = 40_000;
const FLAT = 0xffff_ffff;
/** The page behind the one where code begins. */
const BORDER = CODE + PAGE;
/** An entry of a page table: present, writable, accessed, dirty. */
const MAPPED = 0x63;
const ACCESSED = 0x20;
const SECOND_TABLE = PAGE_TABLES + 2 * PAGE;

const random = () => new Random(1, 1);
const worldOf = (wanted: string) => worlds.find(({ name }) => name === wanted) as World;
const paged = worldOf('32-bit user code');
const flat = worldOf('32-bit protected mode');
const kernel = worldOf('64-bit kernel code');
const compatible = worldOf('32-bit code under a 64-bit kernel');

interface Program {
  /** paging maps the page of code below 4 GiB and the one behind it to address 0, and both to themselves */
  readonly paging: boolean;
  readonly start: number;
  /** where bytes lie, as physical addresses */
  readonly code: readonly (readonly [at: number, hex: string])[];
  readonly enter?: (state: CpuState) => void;
}

/** Flat 32-bit code at level 0. */
function supervisor(state: CpuState): void {
  state.setSegment(CS, SELECTOR.code32, 0xc09b, FLAT, 0n);
  for (const index of [SS, DS, ES, FS, GS])
    state.setSegment(index, SELECTOR.data32, 0xc093, FLAT, 0n);
  state.cpl = 0;
  state.setFlags(2);
}

function run(machine: CodeMachine, { paging, start, code, enter }: Program): Ending {
  const world = paging ? paged : flat;
  const image = new Uint8Array(RAM_BYTES);
  world.write(image, random());
  image[FAULTS_LEFT] = 1;
  if (paging) {
    const words = new DataView(image.buffer);
    const entry = (at: number, value: number) => words.setUint32(at, value | MAPPED, true);
    entry(PAGE_TABLES + 4 * 1023, SECOND_TABLE);
    entry(SECOND_TABLE + 4 * 1023, CODE);
    entry(PAGE_TABLES + PAGE, BORDER);
    entry(PAGE_TABLES + PAGE + 4 * (CODE / PAGE), CODE);
    entry(PAGE_TABLES + PAGE + 4 * (BORDER / PAGE), BORDER);
  }
  for (const [at, hex] of code) image.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), at);
  const begin = (state: CpuState): void => {
    world.enter(state, random());
    state.set64(STATE.cr0, BigInt((CR0.PE | CR0.ET | CR0.NE | (paging ? CR0.PG : 0)) >>> 0));
    supervisor(state);
    state.setGpr(4, BigInt(DATA + PAGE));
    state.set64(STATE.rip, BigInt(start >>> 0));
    enter?.(state);
  };
  return machine.run(image, begin, BUDGET);
}

/** Runs 64-bit code at `start` with an instruction breakpoint. */
function runKernel(
  machine: CodeMachine,
  start: number,
  breakpoint: number,
  code: Program['code'],
): Ending {
  const image = new Uint8Array(RAM_BYTES);
  kernel.write(image, random());
  for (const [at, hex] of code) image.set(Buffer.from(hex, 'hex'), at);
  const begin = (state: CpuState): void => {
    kernel.enter(state, random());
    state.setFlags(2);
    state.set64(STATE.rip, BigInt(start));
    state.set64(STATE.dr, BigInt(breakpoint));
    state.set64(STATE.dr + 7 * 8, 0x401n);
  };
  return machine.run(image, begin, 500);
}

/** An address of 32 bits as code has it. */
function at(address: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(address);
  return bytes.toString('hex');
}

const field = ({ state }: Ending, offset: number): bigint =>
  new DataView(state.buffer, state.byteOffset).getBigUint64(offset, true);

for (const name of ENGINES) {
  describe(`the engine ${name}`, () => {
    const machine = new CodeMachine(name);
    const eax = (ending: Ending) => field(ending, STATE.gpr + 8 * RAX);
    const ecx = (ending: Ending) => field(ending, STATE.gpr + 8 * RCX);
    const rip = (ending: Ending) => field(ending, STATE.rip);

    test('an instruction may begin below 4 GiB and end behind 0', () => {
      const ending = run(machine, {
        paging: true,
        start: -3,
        code: [[BORDER - 3, 'b8 44332211 f4']], // mov eax; hlt
      });
      assert.equal(ending.exit, 'halt');
      assert.deepEqual([eax(ending), rip(ending)], [0x1122_3344n, 3n]);
    });

    test('EIP goes on from 4 GiB to 0, in loops and for calls', () => {
      const ending = run(machine, {
        paging: true,
        start: -9,
        // inc ecx; inc eax; cmp ecx, 1000; nop | jnz back; call $+5; pop eax; hlt
        code: [[BORDER - 9, '41 40 81f9e8030000 90 75f5 e800000000 58 f4']],
      });
      assert.equal(ending.exit, 'halt');
      assert.deepEqual([ecx(ending), eax(ending), rip(ending)], [1000n, 7n, 9n]);
    });

    test('code that was translated elsewhere wraps around at 4 GiB, too', () => {
      const code = '41 40 81f9e8030000 90 75f5 e800000000 58 f4';
      const program = { paging: true, code: [[BORDER - 9, code]] as const };
      const before = run(machine, { ...program, start: BORDER - 9 });
      assert.equal(eax(before), BigInt(BORDER + 7));
      const ending = run(machine, { ...program, start: -9 });
      assert.deepEqual([ecx(ending), eax(ending), rip(ending)], [1000n, 7n, 9n]);
    });

    test('an exception behind the wrap-around is at its small address', () => {
      const ending = run(machine, { paging: true, start: -2, code: [[BORDER - 2, '40 40 0f0b']] });
      assert.equal(ending.exit, 'halt');
      assert.equal(machine.vcpu.lastFault?.rip, 0n);
    });

    test('an instruction may end in a page that has an instruction breakpoint', () => {
      const ending = run(machine, {
        paging: true,
        start: BORDER - 4,
        code: [[BORDER - 4, '41 b8 44332211 f4']], // inc ecx; mov eax; hlt
        enter: (state) => {
          state.set64(STATE.dr, BigInt(BORDER + 0x800));
          state.set64(STATE.dr + 7 * 8, 0x401n);
        },
      });
      assert.equal(ending.exit, 'halt');
      assert.deepEqual([eax(ending), ecx(ending)], [0x1122_3344n, 1n]);
    });

    test('an operand of 32-bit code under a 64-bit kernel wraps around at 4 GiB', () => {
      // mov eax, [-2]; mov [-3], ecx; hlt
      const hex = 'a1 feffffff 890d fdffffff f4';
      const image = new Uint8Array(RAM_BYTES);
      compatible.write(image, random());
      const words = new DataView(image.buffer);
      const entry = (at: number, value: number) => words.setUint32(at, value | MAPPED, true);
      const [directory, table] = [PAGE_TABLES + 4 * PAGE, PAGE_TABLES + 5 * PAGE];
      entry(PAGE_TABLES + PAGE + 8 * 3, directory);
      entry(directory + 8 * 511, table);
      entry(table + 8 * 511, DATA);
      entry(PAGE_TABLES + 3 * PAGE, DATA + PAGE);
      entry(PAGE_TABLES + 3 * PAGE + 8 * (CODE / PAGE), CODE);
      image.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), CODE);
      words.setUint32(DATA + PAGE - 2, 0x1122_3344, true);
      const ending = machine.run(
        image,
        (state) => {
          compatible.enter(state, random());
          supervisor(state);
          state.setGpr(RCX, 0x5566_7788n);
          state.set64(STATE.rip, BigInt(CODE));
        },
        BUDGET,
      );
      assert.equal(ending.exit, 'halt');
      assert.equal(eax(ending), 0x1122_3344n);
      const memory = new DataView(ending.memory.buffer);
      assert.equal(memory.getUint32(DATA + PAGE - 3, true), 0x5566_7788);
    });

    test('a string instruction that takes long uses the budget up, however many elements it has', () => {
      for (const opcode of ['ac', 'aa', 'ae', 'a4', 'a6', '6e']) {
        const ending = run(machine, {
          paging: false,
          start: CODE,
          code: [[CODE, `f3 ${opcode}`]],
          enter: (state) => {
            state.setGpr(RCX, 0xffff_ffffn);
            state.setGpr(RDI, BigInt(RAM_BYTES));
            state.setGpr(RSI, BigInt(RAM_BYTES));
          },
        });
        assert.equal(ending.exit, 'budget');
        const done = 0xffff_ffff - Number(ecx(ending));
        assert.ok(done > 0 && done < 2 ** 20, `${opcode}: ${done} elements`);
      }
    });

    // Their stack is that of the interrupt stack table: nothing but the budget ends them.
    test('an endless chain of debug exceptions uses its budget up', () => {
      const handler = HANDLERS + HANDLER_BYTES;
      assert.equal(runKernel(machine, handler, handler, []).exit, 'budget');
    });

    test('so does one of exceptions in a page with an instruction breakpoint', () => {
      const handler = HANDLERS + 6 * HANDLER_BYTES;
      const undefinedCode: (readonly [number, string])[] = [[handler, '0f0b']];
      const ending = runKernel(machine, handler, HANDLERS + PAGE - 1, undefinedCode);
      assert.equal(ending.exit, 'budget');
    });

    test('what an exception pushes onto a watched stack is no data breakpoint', () => {
      const ending = run(machine, {
        paging: false,
        start: CODE,
        code: [[CODE, '0f0b']],
        enter: (state) => {
          state.set64(STATE.dr, BigInt(DATA + PAGE - 8));
          state.set64(STATE.dr + 7 * 8, 0xd_0401n);
        },
      });
      assert.equal(ending.exit, 'halt');
      assert.equal(rip(ending) >> 5n, BigInt(HANDLERS + 6 * HANDLER_BYTES) >> 5n);
    });

    test('an instruction that meets a data breakpoint in its middle is done to its end', () => {
      const operand = DATA + 0x100;
      const ending = run(machine, {
        paging: false,
        start: CODE,
        code: [
          // fninit; fstp tbyte: of an empty register, where it was and what it wrote to is noted last
          [CODE, `dbe3 db3d ${at(operand)}`],
          [HANDLERS + HANDLER_BYTES, 'f4'],
        ],
        enter: (state) => {
          state.set64(STATE.dr, BigInt(operand));
          state.set64(STATE.dr + 7 * 8, 0xd_0401n);
        },
      });
      assert.equal(ending.exit, 'halt');
      assert.equal(rip(ending), BigInt(HANDLERS + HANDLER_BYTES + 1));
      assert.equal(field(ending, STATE.fpuIp), BigInt(CODE + 2));
      assert.equal(field(ending, STATE.fpuDp), BigInt(operand));
    });

    test('a page that code does not reach is not marked as accessed', () => {
      const table = PAGE_TABLES + PAGE;
      const next = table + 4 * (BORDER / PAGE + 1);
      // The instruction behind hlt goes on in the next page.
      const program = { paging: true, start: BORDER + PAGE - 4 };
      const accessed = (code: string): number => {
        const entry = at((BORDER + PAGE) | 3);
        const ending = run(machine, {
          ...program,
          code: [
            [next, entry],
            [program.start, code],
          ],
        });
        return new DataView(ending.memory.buffer).getUint32(next, true) & ACCESSED;
      };
      assert.equal(accessed('90 f4 b8 00'), 0);
      assert.equal(accessed('90 90 b8 00'), ACCESSED);
    });

    test('what was undefined may become an instruction by any of its bytes', () => {
      // mov cr5, eax (undefined) becomes mov cr0, eax
      const ending = run(machine, {
        paging: false,
        start: CODE,
        code: [
          [CODE, '0f22e8 f4'],
          // once: its handler corrects it, and returns
          [HANDLERS + 6 * HANDLER_BYTES, `b0c0 a2 ${at(CODE + 2)} a1 ${at(DATA)} 0f20c0 cf`],
        ],
      });
      assert.equal(ending.exit, 'halt');
      assert.equal(rip(ending), BigInt(CODE + 4));
    });

    test('an instruction that ends where there is no memory is undefined, like those that begin there', () => {
      const end = RAM_BYTES;
      const ending = run(machine, { paging: false, start: end - 3, code: [[end - 3, 'b8 4433']] });
      assert.equal(ending.exit, 'halt');
      assert.equal(machine.vcpu.lastFault?.vector, 6);
      assert.equal(rip(ending) >> 5n, BigInt(HANDLERS + 6 * HANDLER_BYTES) >> 5n);
    });
  });
}
