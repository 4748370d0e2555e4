/**
 * Cases of random bytes: what is an instruction, how long it is, which prefixes it bears, and what reserved
 * encodings do. Each runs one instruction, behind which INT3 shows where it ended.
 */
import type { Case } from './case.ts';
import { CaseBuilder } from './case-builder.ts';
import { decodeAt } from './decoded.ts';
import type { GeneratedCase } from './generate.ts';
import { skipReason, undefinedBytes, undefinedFlags } from './knowledge.ts';
import { CODE_ADDRESS, CODE_END, DATA_ADDRESS, WRITABLE_BYTES } from './layout.ts';
import { Random } from './random.ts';
import type { Template } from './templates.ts';

const LEGACY_PREFIXES = [0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const RCX = 1;
const RSP = 4;
const LONGEST = 15;

/** What stands for bytes that our decoder takes for no instruction. */
const NOTHING: Template = {
  instruction: { name: '(undefined)', forms: [], semantics: () => {} },
  form: { opcode: '', operands: [], attributes: [] },
  column: {
    prefix: 'none',
    rexW: false,
    vex: undefined,
    bytes: [],
    plusRegister: false,
    plusStack: false,
    modrm: undefined,
    mod: 'any',
    immediates: [],
  },
  letters: [],
  label: '(undefined)',
};

/** Case `number` of `seed`, made of random bytes that a program may run on a host with `features`. */
export function generateRawCase(
  seed: number,
  number: number,
  features: ReadonlySet<string>,
  bits: 32 | 64,
): GeneratedCase {
  const random = new Random(seed, number);
  for (;;) {
    const bytes = randomBytes(random, bits);
    if (reachesTheHost(bytes, bits)) continue;
    const decoded = decodeAt(bytes, 0, bits);
    const template = decoded?.template ?? NOTHING;
    if (decoded !== undefined && skipReason(template, features, bits) !== undefined) continue;
    const { name } = template.instruction;
    if (undefinedBytes(name, 4).length > 0 || /^(popf|fldenv|frstor|fxrstor)/.test(name)) continue;
    return build(random, number, bits, template, bytes.subarray(0, decoded?.length));
  }
}

function build(
  random: Random,
  number: number,
  bits: 32 | 64,
  template: Template,
  bytes: Uint8Array,
): GeneratedCase {
  const b = new CaseBuilder(random, bits, true, true);
  // most registers point into data, where displacements and indices of random bytes may lead
  for (let i = 0; i < b.registers; i++) {
    if (i === RSP || random.oneIn(4)) continue;
    const near = DATA_ADDRESS + random.below(WRITABLE_BYTES);
    b.state.setGpr(i, BigInt(random.oneIn(3) ? random.below(64) : near));
  }
  if (/^loop/.test(template.instruction.name)) b.state.setGpr(RCX, BigInt(random.below(4)));
  const codeAddress = random.oneIn(10)
    ? CODE_END - bytes.length - random.below(2)
    : CODE_ADDRESS + random.below(4096);
  b.state.rip = BigInt(codeAddress);
  const { name } = template.instruction;
  const raw: Case = { bits, codeAddress, code: bytes, state: b.state, patches: [] };
  return {
    ...raw,
    number,
    main: template,
    templates: [template],
    undefinedFlags: undefinedFlags(name, { width: 8, count: undefined }),
    undefinedMemory: [],
    instructions: [bytes],
  };
}

function randomBytes(random: Random, bits: 32 | 64): Uint8Array {
  const bytes: number[] = [];
  const prefixes = random.oneIn(30) ? random.below(15) : random.pick([0, 0, 0, 1, 1, 2, 3]);
  for (let i = 0; i < prefixes; i++) {
    const rex = bits === 64 && random.oneIn(5);
    bytes.push(rex ? 0x40 | random.below(16) : random.pick(LEGACY_PREFIXES));
  }
  if (bits === 64 && random.oneIn(3)) bytes.push(0x40 | random.below(16));
  const map = random.below(10);
  if (map < 4) bytes.push(0x0f);
  if (map === 0) bytes.push(0x38);
  if (map === 1) bytes.push(0x3a);
  if (map === 4) {
    const high = bits === 64 ? random.below(256) : 0xc0 | random.below(64);
    bytes.push(0xc5, high);
  } else if (map === 5 || map === 6) {
    const rxb = bits === 64 ? random.below(8) : 6 | random.below(2);
    const field = random.oneIn(20) ? random.below(32) : 1 + random.below(3);
    const v = random.oneIn(3) ? random.below(16) : 15;
    bytes.push(0xc4, (rxb << 5) | field, (random.below(2) << 7) | (v << 3) | random.below(8));
  }
  bytes.push(random.below(256));
  while (bytes.length < LONGEST + 2)
    bytes.push(random.oneIn(3) ? random.below(16) : random.below(256));
  return Uint8Array.from(bytes);
}

/**
 * Whether bytes may do something to the host, or depend on what Vivarium does not announce: system calls,
 * hypercalls, waiting instructions, AVX-512 and other extensions.
 */
function reachesTheHost(bytes: Uint8Array, bits: 32 | 64): boolean {
  for (let i = 0; i + 1 < bytes.length; i++) {
    const [first, second = 0] = [bytes[i], bytes[i + 1]];
    if (first === 0x0f && (second === 0x05 || second === 0x34)) return true;
    if (first === 0xcd) return true;
    if (first === 0x0f && second === 0x01 && (bytes[i + 2] ?? 0) >= 0xc0) return true;
  }
  let at = 0;
  while (isPrefix(bytes[at] as number, bits)) at++;
  const byte = bytes[at] as number;
  const next = bytes[at + 1] as number;
  if (byte === 0x62) return bits === 64 || next >= 0xc0;
  if (byte === 0xc4 || byte === 0xc5)
    return bits === 64 || next >= 0xc0 ? isForeignVex(bytes, at) : false;
  // XABORT and XBEGIN, which run even where CPUID hides them
  if (byte === 0xc6 || byte === 0xc7) return next === 0xf8;
  if (byte !== 0x0f) return false;
  if (next === 0x38) return [0xcf, 0xf8, 0xf9].includes(bytes[at + 2] as number);
  if (next === 0x3a) return [0xce, 0xcf].includes(bytes[at + 2] as number);
  // SSE4A; WAITPKG, PTWRITE, CET
  return [0x78, 0x79, 0x2b, 0xae].includes(next);
}

const FOREIGN_VEX_0F38: readonly (readonly [number, number])[] = [
  ...([
    [0x49, 0x4b],
    [0x50, 0x53],
    [0x5c, 0x5f],
    [0x6c, 0x6c],
    [0x72, 0x72],
    [0xb0, 0xb1],
  ] as const),
  ...([
    [0xb4, 0xb5],
    [0xcb, 0xcd],
    [0xcf, 0xcf],
    [0xd2, 0xd3],
    [0xda, 0xda],
    [0xe0, 0xef],
  ] as const),
];
const FOREIGN_VEX_0F3A: readonly (readonly [number, number])[] = [
  [0x30, 0x33],
  [0xce, 0xcf],
  [0xde, 0xde],
];

/** AVX-512 mask instructions, AMX, GFNI, AVX-VNNI, AVX-NE-CONVERT, AVX-IFMA, SHA512, SM3, SM4, CMPCCXADD. */
function isForeignVex(bytes: Uint8Array, at: number): boolean {
  const short = bytes[at] === 0xc5;
  const map = short ? 1 : (bytes[at + 1] as number) & 31;
  const opcode = bytes[at + (short ? 2 : 3)] as number;
  if (map === 1) return (opcode >= 0x41 && opcode <= 0x4b) || (opcode >= 0x90 && opcode <= 0x99);
  if (map === 2) return FOREIGN_VEX_0F38.some(([from, to]) => opcode >= from && opcode <= to);
  return map === 3 && FOREIGN_VEX_0F3A.some(([from, to]) => opcode >= from && opcode <= to);
}

export function isPrefix(byte: number, bits: 32 | 64): boolean {
  return LEGACY_PREFIXES.includes(byte) || (bits === 64 && (byte & 0xf0) === 0x40);
}
