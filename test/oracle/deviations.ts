import { AC, GP, PF, SSF as SS, UD, XM } from '../../src/x86/fault.ts';
import { MAX_INSTRUCTION_BYTES } from '../../src/x86/mod.ts';
import type { Outcome } from './case.ts';
import type { GeneratedCase } from './generate.ts';
import { reachOf } from './knowledge.ts';
import { CODE_END, WIRE } from './layout.ts';

const FSW_ES = 0x80;
const FS_PREFIX = 0x64;
const GS_PREFIX = 0x65;

/**
 * Differences from the host's processor that are accepted, because processors differ among themselves
 * or because Vivarium says in its documentation that it does it otherwise. Returns the reason.
 */
export function deviation(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
): string | undefined {
  if (expected.vector === AC || actual.vector === AC) {
    return 'vendors differ in which vector operands are checked for alignment, and in what comes first';
  }
  const withoutModrm = each.templates.some(({ instruction }) => instruction.name === 'ud1');
  if (expected.vector === UD && actual.vector === PF && withoutModrm) {
    return 'some processors raise #UD for UD1 without fetching its ModRM byte';
  }
  if (
    expected.vector === PF &&
    actual.vector === UD &&
    expected.faultAddress === BigInt(CODE_END)
  ) {
    return 'a wrong LOCK prefix is found before the instruction has been fetched to its end';
  }
  const refuses = ({ vector }: Outcome) => vector === GP || vector === UD;
  if (refuses(expected) && refuses(actual) && each.main.label === '(undefined)') {
    if (each.code.length >= MAX_INSTRUCTION_BYTES && expected.state.rip === each.state.rip) {
      return 'an instruction may be both undefined and too long, and UD0 has a ModRM byte or not';
    }
  }
  if (/^loopn?e$/.test(each.main.instruction.name) && each.instructions.some(repeatsLoop)) {
    return 'repeat prefixes of LOOPE and LOOPNE are reserved';
  }
  const faulted = expected.vector >= 0;
  if (faulted && each.templates.some(({ instruction }) => /maskmov/.test(instruction.name))) {
    return 'which byte of MASKMOVDQU faults, and whether a masked-off one does, is up to the processor';
  }
  const refused = expected.vector === GP || expected.vector === SS;
  if (each.bits === 32 && refused && actual.vector === PF && isAtEnd(each, actual.faultAddress)) {
    return 'in flat segments nothing is checked: an operand across 4 GiB wraps around';
  }
  if (actual.vector === PF && isVsyscall(actual.state.rip)) {
    return 'Linux executes what is asked of its page of vsyscalls itself';
  }
  const based = each.instructions.some((bytes) => namesSegmentWithBase(bytes));
  if (each.bits === 64 && expected.vector === GP && actual.vector === PF && based) {
    return 'an offset that is not canonical may fault though the base of FS or GS makes it so';
  }
  const pending = (actual.state.get16(WIRE.fsw) & FSW_ES) !== 0;
  if (pending && (expected.vector === PF || expected.vector === GP) && isX87Store(each)) {
    return 'an x87 store that an unmasked exception suppresses does not look at its memory operand';
  }
  const names = each.templates.map(({ instruction }) => instruction.name);
  if (expected.vector === XM && actual.vector === XM && names.some((name) => /^v?dpp/.test(name))) {
    return 'how far DPPS gets before an unmasked exception is up to the processor';
  }
  const faults = ({ vector }: Outcome) => vector === PF || vector === GP || vector === SS;
  const gathers = each.templates.some(({ form }) => form.attributes.includes('vsib'));
  if (gathers && expected.vector !== actual.vector && faults(expected) && faults(actual)) {
    return 'which of several faults of a gather comes first is up to the processor';
  }
  if (each.bits === 32 && reachesFar(each) && actual.vector === GP) {
    return 'an area of memory that wraps around at 4 GiB is written or refused, by model';
  }
  if (reachesFar(each) && faults(expected) && faults(actual)) {
    return 'which of several faults of a long memory operand comes first is up to the processor';
  }
  if (faulted && names.includes('popa')) {
    return 'how many registers POPA has written when it faults is up to the processor';
  }
  const conversion = /^cvtt?(pi2p[sd]|p[sd]2pi)$/;
  if (
    expected.vector === XM &&
    actual.vector === XM &&
    each.templates.some(({ instruction }) => conversion.test(instruction.name))
  ) {
    return 'whether #XM of an MMX conversion comes before the change to MMX state is not specified';
  }
  if (expected.vector === GP && actual.vector === GP && !isCanonical(actual.state.rip)) {
    return 'a branch to a non-canonical address faults at its target, not at the branch';
  }
  return undefined;
}

/** LOOPE or LOOPNE with F2 or F3: processors take the prefix for the condition. */
function repeatsLoop(bytes: Uint8Array): boolean {
  const opcode = bytes.findIndex((byte) => byte === 0xe0 || byte === 0xe1);
  return bytes.subarray(0, Math.max(opcode, 0)).some((byte) => byte === 0xf2 || byte === 0xf3);
}

function namesSegmentWithBase(bytes: Uint8Array): boolean {
  return hasPrefix(bytes, FS_PREFIX) || hasPrefix(bytes, GS_PREFIX);
}

function hasPrefix(bytes: Uint8Array, prefix: number): boolean {
  return bytes.subarray(0, MAX_INSTRUCTION_BYTES).includes(prefix);
}

/**
 * The last bytes of 32-bit addresses, and the first, where an operand across the end goes on; of FS and GS where
 * an instruction names them.
 */
export function isAtEnd({ instructions, state }: GeneratedCase, address: bigint): boolean {
  const names = (prefix: number) => instructions.some((bytes) => hasPrefix(bytes, prefix));
  const bases = [0n];
  if (names(FS_PREFIX)) bases.push(state.get64(WIRE.fsBase));
  if (names(GS_PREFIX)) bases.push(state.get64(WIRE.gsBase));
  if (address > 0xffff_ffffn) return false;
  return bases.some((base) => {
    const offset = BigInt.asUintN(32, address - base);
    return offset === 0n || offset >= 0xffff_fe00n;
  });
}

/** The page where Linux answers calls that old programs make. */
function isVsyscall(address: bigint): boolean {
  return address >> 12n === 0xf_ffff_ffff_f600n;
}

/** Processors begin with another byte of a long operand: which one faults first is up to them. */
export function reachesFar({ templates }: GeneratedCase): boolean {
  return templates.some(({ instruction }) => (reachOf(instruction.name) ?? 0) > 16);
}

export function isX87Store({ templates }: GeneratedCase): boolean {
  return templates.some(({ instruction }) => /^f(ist|st|bst)/.test(instruction.name));
}

function isCanonical(address: bigint): boolean {
  return BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
}
