import type { CpuState } from '../../../src/x86/mod.ts';
import { CS, gprOffset, SEGMENT, STATE, xmmOffset } from '../../../src/x86/state.ts';
import { Random } from '../../oracle/random.ts';
import { fillExtended, fillLanes, interestingInteger } from '../../oracle/values.ts';
import { CodeMachine, type Ending, type EngineName } from './code-machine.ts';
import {
  CODE,
  CODE_BYTES,
  CONSTANTS,
  DATA,
  DATA_BYTES,
  FAULTS_LEFT,
  PAGE,
  PAGE_TABLES,
  RAM_BYTES,
} from './layout.ts';
import { fillWithCode } from './random-code.ts';
import { type World, worlds } from './worlds.ts';

/** Instructions the reference may take; a case that needs more ends nowhere and is not compared. */
export const BUDGET = 400;
/** The others stop at taken branches alone. */
const LOOSE_BUDGET = 2 * BUDGET;

/** What a case starts from. */
interface Start {
  readonly world: World;
  readonly image: Uint8Array;
  readonly enter: (state: CpuState) => void;
}

/** Runs cases on the reference and on other engines, which must end alike. */
export class CodeFuzzer {
  readonly #reference = new CodeMachine('reference');
  readonly #others: readonly CodeMachine[];
  /** how cases ended on the reference, by world */
  readonly endings = new Map<string, number>();

  constructor(engines: readonly EngineName[]) {
    this.#others = engines.map((name) => new CodeMachine(name));
  }

  /** Runs case `number` of `seed`. Returns how the engines differ, one line each; none when they do not. */
  round(seed: number, number: number): string[] {
    return this.#compare(this.#others, seed, number);
  }

  /**
   * Runs the first `count` cases of `seed` once more, on a machine that finds what the machine of orders has made of them
   * so far. Returns how it differs from the reference, and how many regions it found.
   */
  again(seed: number, count: number): { lines: string[]; adopted: number } {
    const kept = this.#others.flatMap(({ batches }) => batches.kept.splice(0));
    const machine = new CodeMachine('archived', undefined, kept);
    const numbers = Array.from({ length: count }, (_, number) => number);
    const lines = numbers.flatMap((number) => this.#compare([machine], seed, number));
    return { lines, adopted: Number(machine.vcpu.stats()['regionsAdopted']) };
  }

  #compare(others: readonly CodeMachine[], seed: number, number: number): string[] {
    const { world, image, enter } = makeStart(seed, number);
    const expected = this.#reference.run(image, enter, BUDGET);
    const kind = `${world.name}: ${expected.exit}`;
    this.endings.set(kind, (this.endings.get(kind) ?? 0) + 1);
    const lines: string[] = [];
    for (const other of others) {
      const actual = other.run(image, enter, LOOSE_BUDGET);
      if (expected.exit === 'budget' || unmapsItself(expected)) continue;
      for (const line of differences(expected, actual)) lines.push(`${other.name}: ${line}`);
    }
    return lines.length > 0 ? [`${world.name}, case ${number}`, ...lines] : lines;
  }
}

/** Memory and registers of case `number`. */
export function makeStart(seed: number, number: number): Start {
  const random = new Random(seed, number);
  const world = worlds[number % worlds.length] as World;
  const image = new Uint8Array(RAM_BYTES);
  world.write(image, random);
  image[FAULTS_LEFT] = random.oneIn(3) ? 1 : 1 + random.below(16);
  fillWithCode(random, image.subarray(CODE, CODE + CODE_BYTES), world.bits);
  fillLanes(random, new DataView(image.buffer, DATA), 0, DATA_BYTES + PAGE);
  const entry = random.oneIn(8) ? PAGE - random.below(16) : random.below(CODE_BYTES - 64);
  const registers = random.u32();
  const enter = (state: CpuState): void => {
    const values = new Random(registers, number);
    fillRegisters(values, state, world);
    world.enter(state, values);
    setBreakpoints(values, state);
    state.set64(STATE.rip, BigInt(CODE + entry) - state.segmentBase(CS));
  };
  return { world, image, enter };
}

/**
 * Code that loads CR3 with other tables and is not mapped by them goes on to its next branch, for its
 * instructions are decoded already.
 */
function unmapsItself({ state }: Ending): boolean {
  const cr3 = new DataView(state.buffer, state.byteOffset).getUint32(STATE.cr3, true);
  return cr3 !== 0 && cr3 !== PAGE_TABLES;
}

const RSP = 4;

function fillRegisters(random: Random, state: CpuState, world: World): void {
  const data = world.reach === 16 ? 0 : DATA;
  for (let i = 0; i < 16; i++) state.setGpr(i, generalValue(random, data));
  if (!random.oneIn(8)) state.setGpr(RSP, BigInt(data + PAGE + 8 * random.below(PAGE / 8)));
  state.setFlags(0x202 | (random.u32() & 0x8d5) | (random.oneIn(12) ? random.u32() & 0x4_4500 : 0));
  state.set32(STATE.mxcsr, random.oneIn(4) ? random.u32() & 0xffff : 0x1f80);
  state.set16(STATE.fpuControl, random.oneIn(4) ? 0x40 | (random.u32() & 0xf3f) : 0x37f);
  state.set32(STATE.fpuTop, random.below(8));
  state.set32(STATE.fpuValid, random.below(256));
  for (let i = 0; i < 8; i++) fillExtended(random, state.view, STATE.fpr + 16 * i);
  fillLanes(random, state.view, xmmOffset(0), 512);
}

/** Sometimes breakpoints on code and data, of every kind and length. */
function setBreakpoints(random: Random, state: CpuState): void {
  state.set64(STATE.dr + 6 * 8, 0xffff_0ff0n);
  state.set64(STATE.dr + 7 * 8, 0x400n);
  if (!random.oneIn(6)) return;
  let control = 0x400;
  for (let i = 0; i < 4; i++) {
    const isCode = random.oneIn(2);
    const at = isCode ? CODE + random.below(CODE_BYTES) : DATA + random.below(DATA_BYTES);
    state.set64(STATE.dr + 8 * i, BigInt(at));
    const kind = isCode ? 0 : random.pick([1, 3]) | (random.below(4) << 2);
    control |= kind << (16 + 4 * i);
    if (random.oneIn(2)) control |= 1 << (2 * i);
  }
  state.set64(STATE.dr + 7 * 8, BigInt(control >>> 0));
}

function generalValue(random: Random, data: number): bigint {
  const kind = random.below(10);
  if (kind < 5) return BigInt(data + random.below(DATA_BYTES));
  if (kind === 5) return BigInt(CODE + random.below(CODE_BYTES));
  if (kind === 6) return BigInt(CONSTANTS + random.below(2 * PAGE) - PAGE);
  if (kind === 7) return BigInt(random.below(64));
  return interestingInteger(random);
}

/** Parts of the state block that a guest can see, with names. */
const PARTS: readonly (readonly [name: string, from: number, to: number])[] = [
  ...Array.from({ length: 16 }, (_, i) => [`r${i}`, gprOffset(i), gprOffset(i + 1)] as const),
  ['rip', STATE.rip, STATE.rip + 8],
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name, i) => {
    const at = STATE.segments + i * SEGMENT.bytes;
    return [name, at, at + SEGMENT.readTop] as const;
  }),
  ['tables', STATE.gdtrBase, STATE.cr0],
  ['cr0', STATE.cr0, STATE.cr2],
  ['cr2', STATE.cr2, STATE.cr3],
  ['cr3', STATE.cr3, STATE.cr4],
  ['cr4', STATE.cr4, STATE.cr4 + 8],
  ['xcr0', STATE.xcr0, STATE.dr],
  ['dr', STATE.dr, STATE.efer],
  ['msrs', STATE.efer, STATE.cpl],
  ['cpl', STATE.cpl, STATE.cpl + 4],
  ['mxcsr', STATE.mxcsr, STATE.mxcsr + 4],
  ['x87', STATE.fpuControl, STATE.fpr],
  ...Array.from(
    { length: 8 },
    (_, i) => [`fpr${i}`, STATE.fpr + 16 * i, STATE.fpr + 16 * i + 10] as const,
  ),
  ...Array.from({ length: 16 }, (_, i) => [`ymm${i}`, xmmOffset(i), xmmOffset(i + 1)] as const),
];

function differences(expected: Ending, actual: Ending): string[] {
  const lines: string[] = [];
  const note = (what: string, want: string | number, got: string | number) => {
    if (want !== got) lines.push(`${what}: expected ${want}, got ${got}`);
  };
  note('exit', expected.exit, actual.exit);
  note('flags', expected.flags.toString(16), actual.flags.toString(16));
  note('task priority', expected.taskPriority, actual.taskPriority);
  for (const [name, from, to] of PARTS) {
    note(name, hex(expected.state.subarray(from, to)), hex(actual.state.subarray(from, to)));
  }
  if (Buffer.compare(expected.memory, actual.memory) !== 0) {
    const at = expected.memory.findIndex((byte, i) => byte !== actual.memory[i]);
    const piece = ({ memory }: Ending) => hex(memory.subarray(at & ~7, (at & ~7) + 8));
    note(`memory at 0x${(at & ~7).toString(16)}`, piece(expected), piece(actual));
  }
  return lines.slice(0, 8);
}

/** Bytes as one little-endian number. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString('hex');
}
