import { isApproximate } from './approximate.ts';
import { endJump } from './assembly.ts';
import type { Case } from './case.ts';
import { CaseBuilder } from './case-builder.ts';
import { type Encoding, encode } from './encoder.ts';
import { ALL_FLAGS, definedFlags, readsFlags } from './knowledge.ts';
import { CODE_ADDRESS, CODE_END, DATA_BYTES, PAGE } from './layout.ts';
import { type Placement, placeInstruction } from './placement.ts';
import { Random } from './random.ts';
import type { Template } from './templates.ts';
import { fillLanes } from './values.ts';

/** A case with what is needed to judge its outcome and to show it to a person. */
export interface GeneratedCase extends Case {
  readonly number: number;
  /** the form this case is about */
  readonly main: Template;
  readonly templates: readonly Template[];
  /** flags without a defined value at the end, and wherever the case may fault */
  readonly undefinedFlags: number;
  /** linear addresses `[from, to)` whose content afterwards is not defined */
  readonly undefinedMemory: readonly (readonly [bigint, bigint])[];
  /** bytes of each instruction, for listings */
  readonly instructions: readonly Uint8Array[];
}

/** Marks that do not touch flags: LEA R15,[R15+1] and LEA R14,[R14+1], or of EDI and ESI in 32-bit code. */
const LANDING_MARK = { 64: [0x4d, 0x8d, 0x7f, 0x01], 32: [0x8d, 0x7f, 0x01] } as const;
const SKIPPED_MARK = {
  64: Uint8Array.of(0x4d, 0x8d, 0x76, 0x01),
  32: Uint8Array.of(0x8d, 0x76, 0x01),
} as const;
/** CMP ESP,EBP: gives all six flags a defined value. */
const SET_FLAGS = Uint8Array.of(0x39, 0xec);

const TIMES = 3;
const RCX = 1;

/** Where a relative branch goes: the landing block, or the beginning of a later unit. */
type Goal = 'landing' | number;

interface Unit {
  /** flags are given a defined value first */
  readonly fixFlags: boolean;
  readonly placement: Placement;
  readonly goal: Goal | undefined;
}

/** The memory all cases of `seed` start from. */
export function dataImage(seed: number): Uint8Array {
  const random = new Random(seed, 0x7fff_ffff);
  const image = new Uint8Array(DATA_BYTES);
  const view = new DataView(image.buffer);
  for (let at = 0; at < DATA_BYTES; at += 64) fillLanes(random, view, at, 64);
  return image;
}

/**
 * Case `number` of `seed`: about one form of `templates` in turn, alone or amid a few instructions
 * taken from all of them.
 */
export function generateCase(
  seed: number,
  number: number,
  templates: readonly Template[],
  company: readonly Template[] = templates,
  bits: 32 | 64 = 64,
): GeneratedCase {
  const random = new Random(seed, number);
  const main = templates[number % templates.length] as Template;
  const chosen = choose(random, main, company);
  const uses = (attributes: RegExp) =>
    chosen.some(({ form }) => form.attributes.some((attribute) => attributes.test(attribute)));
  // processors see by different means that a component is in its initial state: here none is
  const saves = chosen.some(({ instruction }) => instruction.name.startsWith('xsave'));
  const vectors = saves || uses(/^(sse|mmx|avx)$/);
  const b = new CaseBuilder(random, bits, vectors, saves || uses(/^(fpu|mmx)$/));

  const alone = chosen.length === 1;
  const landing = alone && random.oneIn(40) ? undefined : codePlace(random);
  const landingBytes = [...LANDING_MARK[bits], ...endJump(bits)];
  const codeAddress = landing ?? CODE_END - landingBytes.length - 1 - random.below(TIMES * 4);
  const entry = codeAddress + landingBytes.length;

  const units: Unit[] = [];
  const flagsAtUnit: number[] = new Array(chosen.length + 1).fill(0);
  let undefinedNow = 0;
  let undefinedEver = 0;
  let undefinedAtEnd = 0;
  for (const [i, template] of chosen.entries()) {
    undefinedNow |= flagsAtUnit[i] as number;
    const fixFlags = undefinedNow !== 0 && readsFlags(template.instruction.name);
    if (fixFlags) undefinedNow = 0;
    const placement = placeInstruction(b, template, codeAddress, !alone);
    const goal = placement.branchBytes === 0 ? undefined : chooseGoal(random, i, chosen.length);
    if (typeof goal === 'number') flagsAtUnit[goal]! |= undefinedNow;
    // any instruction may leave for the landing block or fault: what is undefined here counts
    undefinedEver |= undefinedNow;
    if (leaves(template)) undefinedAtEnd |= undefinedNow;
    undefinedNow &= ~definedFlags(template.instruction.name);
    undefinedNow |= placement.undefinedFlags;
    undefinedEver |= undefinedNow;
    units.push({ fixFlags, placement, goal });
  }
  undefinedAtEnd |= undefinedNow | (flagsAtUnit[chosen.length] as number);

  const marked = units.some(({ goal }) => goal !== undefined);
  const loops = !alone && random.oneIn(4) && b.give(RCX, BigInt(1 + random.below(4)));
  const { bytes, instructions } = assemble(units, entry, codeAddress, marked, loops, bits);
  const code = Uint8Array.from([...landingBytes, ...bytes, ...endJump(bits)]);
  b.state.rip = BigInt(entry);
  return {
    number,
    main,
    templates: chosen,
    bits,
    codeAddress,
    code: code.subarray(0, Math.min(code.length, CODE_END - codeAddress)),
    state: b.state,
    patches: b.patches,
    undefinedMemory: units.flatMap(({ placement }) => placement.undefinedMemory),
    undefinedFlags: (alone ? undefinedAtEnd : undefinedAtEnd | undefinedEver) & ALL_FLAGS,
    instructions,
  };
}

/** `main` alone, or with a few instructions before and after it. */
function choose(random: Random, main: Template, company: readonly Template[]): Template[] {
  if (isAlone(main) || random.below(3) !== 0) return [main];
  const chosen: Template[] = [];
  const count = 1 + random.below(4);
  for (let attempt = 0; chosen.length < count && attempt < 4 * count; attempt++) {
    const other = random.pick(company);
    if (!isAlone(other) && !other.form.attributes.includes('ends')) chosen.push(other);
  }
  const last = main.form.attributes.includes('ends');
  chosen.splice(last ? chosen.length : random.below(chosen.length + 1), 0, main);
  return chosen;
}

/** Branches, after which the code behind may not run. */
function leaves({ instruction, form }: Template): boolean {
  return form.attributes.includes('ends') || /^(j|loop)/.test(instruction.name);
}

/** Instructions that always fault, or that make all that follows depend on a random word. */
function isAlone({ instruction, form }: Template): boolean {
  const { name } = instruction;
  return (
    form.attributes.includes('cpl0') ||
    form.attributes.includes('vsib') ||
    /^(popf|ud\d|bound|int|wrpkru|fxsave|fxrstor|xsave|xrstor|fnsave|frstor|fnstenv|fldenv)/.test(
      name,
    ) ||
    isApproximate(name)
  );
}

function codePlace(random: Random): number {
  if (random.oneIn(12)) return CODE_ADDRESS + PAGE - 18 - random.below(24);
  return CODE_ADDRESS + random.below(PAGE / 2) + (random.oneIn(2) ? PAGE / 2 : 0);
}

function chooseGoal(random: Random, unit: number, count: number): Goal {
  if (random.oneIn(3)) return 'landing';
  return unit + 1 + random.below(count - unit);
}

/**
 * Lays the units out and fills in branch targets. A final mark shows whether a branch skipped it. With
 * `loops`, a LOOP leads back to the first unit.
 */
function assemble(
  units: readonly Unit[],
  entry: number,
  landing: number,
  marked: boolean,
  loops: boolean,
  bits: 32 | 64,
): { bytes: number[]; instructions: Uint8Array[] } {
  const starts: number[] = [];
  const encodingOf = ({ placement }: Unit, target: number): Encoding => ({
    ...placement.encoding,
    branch: placement.branchBytes === 0 ? undefined : { target, bytes: placement.branchBytes },
  });
  let at = entry;
  for (const unit of units) {
    starts.push(at);
    at += (unit.fixFlags ? SET_FLAGS.length : 0) + encode(encodingOf(unit, at), at, bits).length;
  }
  const backwards = entry - (at + SET_FLAGS.length + 2);
  const loop = loops && backwards >= -128 ? Uint8Array.of(0xe2, backwards & 0xff) : undefined;
  const loopBytes = loop === undefined ? 0 : SET_FLAGS.length + loop.length;
  const end = at + loopBytes + (marked ? SKIPPED_MARK[bits].length : 0);
  starts.push(loop === undefined ? end : at);
  const instructions: Uint8Array[] = [];
  at = entry;
  for (const unit of units) {
    if (unit.fixFlags) {
      instructions.push(SET_FLAGS);
      at += SET_FLAGS.length;
    }
    const target = unit.goal === 'landing' ? landing : (starts[unit.goal ?? 0] ?? end);
    const bytes = encode(encodingOf(unit, target), at, bits);
    instructions.push(bytes);
    at += bytes.length;
  }
  if (loop !== undefined) instructions.push(SET_FLAGS, loop);
  if (marked) instructions.push(SKIPPED_MARK[bits]);
  return { bytes: instructions.flatMap((each) => [...each]), instructions };
}
