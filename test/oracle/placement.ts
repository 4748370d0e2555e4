import type { CaseBuilder } from './case-builder.ts';
import type { Encoding, MemoryReference } from './encoder.ts';
import { type GatherRegisters, placeGather } from './gather.ts';
import { impliedWrites, reachOf, undefinedBytes, undefinedFlags } from './knowledge.ts';
import { operandBytes } from './opcode-column.ts';
import { type Choices, prepareBitOffset, prepareImplied, prepareOperand } from './preparation.ts';
import type { Template } from './templates.ts';
import { interestingInteger } from './values.ts';

/** INT n of the two gates that programs may use, and of some they may not; never of a system call. */
const CALLABLE_VECTORS = [3, 3, 4, 4, 0, 1, 6, 13, 14, 0x20, 0x7f];
const RSP = 4;
const RCX = 1;
const FS_PREFIX = 0x64;
const GS_PREFIX = 0x65;

/** An instruction with all its choices made; only branch targets and its own address are still open. */
export interface Placement {
  readonly template: Template;
  readonly encoding: Encoding;
  /** bytes of the relative branch target, 0 when there is none */
  readonly branchBytes: number;
  /** flags left without a defined value */
  readonly undefinedFlags: number;
  /** ranges of linear addresses, `[from, to)`, whose new content is not defined */
  readonly undefinedMemory: readonly (readonly [bigint, bigint])[];
}

/** Makes all choices for one instruction: prefixes, sizes, registers, memory operands, immediates. */
export function placeInstruction(
  b: CaseBuilder,
  template: Template,
  landing: number,
  safe: boolean,
): Placement {
  const { random } = b;
  const { column, form, letters } = template;
  const name = template.instruction.name;
  const has = (attribute: string) => form.attributes.includes(attribute as never);
  const memory = choosesMemory(b, template);
  const prefixes: number[] = [];

  // sizes
  const { allow66, allowW } = sizeFreedom(template);
  const rexW = b.bits === 64 && allowW && random.oneIn(3);
  const branches = has('ends') || /^(j|loop)/.test(name);
  const operandPrefix = allow66 && random.oneIn(branches ? 40 : 4);
  const vexW = column.vex === undefined ? 0 : vexWOf(b, template);
  const wide = b.bits === 64 && (rexW || column.rexW || vexW === 1);
  const operandSize = wide
    ? 8
    : operandPrefix
      ? 2
      : b.bits === 64 && (has('d64') || has('f64'))
        ? 8
        : 4;

  // segment, address size
  const usesData =
    memory || has('rep') || letters.some(({ kind }) => kind === 'O') || name === 'xlat';
  const counts = /^(loop|jrcxz)/.test(name);
  const addressPrefix = (usesData || counts) && random.oneIn(counts ? 3 : 12);
  const addressBits: 16 | 32 | 64 =
    b.bits === 64 ? (addressPrefix ? 32 : 64) : addressPrefix ? 16 : 32;
  // 16 bits do not reach the data but through a segment that begins there
  const segmentPrefix =
    addressBits === 16 && usesData && !random.oneIn(8)
      ? FS_PREFIX
      : usesData && random.oneIn(10)
        ? random.pick([FS_PREFIX, GS_PREFIX, 0x2e, 0x36, 0x3e, 0x26])
        : undefined;
  const segmentBase =
    segmentPrefix === FS_PREFIX
      ? b.state.get64(144)
      : segmentPrefix === GS_PREFIX
        ? b.state.get64(152)
        : 0n;

  // repeat, lock
  const repeat = has('rep') && random.oneIn(2);
  const lockable = has('lock') && memory;
  const locked = lockable ? random.oneIn(4) : !safe && mayRefuseLock(template) && random.oneIn(300);

  if (operandPrefix) prefixes.push(0x66);
  if (segmentPrefix !== undefined) prefixes.push(segmentPrefix);
  if (addressPrefix) prefixes.push(0x67);
  if (repeat) prefixes.push(random.pick([0xf2, 0xf3]));
  if (locked) prefixes.push(0xf0);
  shuffle(b, prefixes);

  const choices: Choices = { operandSize, addressBits, segmentBase, repeat, safe, landing };
  prepareImplied(b, template, choices);

  // ModRM.rm or the register in the opcode
  let rm: number | MemoryReference = 0;
  let address: bigint | undefined;
  let gather: GatherRegisters | undefined;
  if (has('vsib')) {
    gather = placeGather(b, template, { addressBits, segmentBase });
    rm = gather.memory;
  } else if (memory) {
    const bytes = memoryBytes(template, operandSize);
    const how = {
      bytes,
      alignment: alignmentOf(template),
      locked: locked || (lockable && /^(xchg|xadd|cmpxchg)/.test(name)),
      addressBits,
      segmentBase,
      safe,
    };
    const naturally = {
      ...how,
      alignment: Math.max(how.alignment, random.oneIn(5) ? 1 : bytes & -bytes),
    };
    const target = BigInt.asUintN(64, b.target(naturally));
    const placed = b.refer(target, how);
    rm = placed.reference;
    address = placed.address;
  } else {
    // PAUSE with REX.B is XCHG R8,rAX
    rm = name === 'pause' ? 0 : chooseRegister(b, registerKind(template, 'rm'));
  }
  prepareOperand(b, template, choices, {
    register: typeof rm === 'number' ? rm : undefined,
    address,
  });

  const regKind = registerKind(template, 'reg');
  const reg = gather?.destination ?? chooseRegister(b, regKind);
  const vvvv =
    gather?.mask ??
    (letters.some(({ kind }) => kind === 'H' || kind === 'B')
      ? chooseRegister(b, letters.some(({ kind }) => kind === 'H') ? 'vector' : 'general')
      : 0);
  if (memory && /^(bt|bts|btr|btc)$/.test(name) && column.modrm === 'r') prepareBitOffset(b, reg);

  // immediates
  const immediates = column.immediates
    .filter((token) => token.startsWith('i'))
    .map((token) => immediateOf(b, template, token, operandSize));
  const offset = letters.find(({ kind }) => kind === 'O');
  if (offset !== undefined) {
    const bytes = operandBytes(offset.size, operandSize);
    const how = { bytes, alignment: 1, locked: false, addressBits, segmentBase, safe } as const;
    const width = addressBits / 8;
    immediates.push({
      value: BigInt.asUintN(width * 8, b.target(how) - segmentBase),
      bytes: width,
    });
  }

  const byteRegisters = letters.filter(({ kind, size }) => size === 'b' && 'EGZR'.includes(kind));
  const encoding: Encoding = {
    column,
    prefixes,
    rexW,
    rexAlways: random.oneIn(byteRegisters.length > 0 ? 3 : 40),
    reg,
    rm,
    vvvv,
    vexL: column.vex?.length === 256 ? 1 : 0,
    vexW,
    immediates,
    branch: undefined,
  };

  const count = shiftCount(b, template, immediates);
  markWrites(b, template, encoding, memory);
  const first = letters[0];
  const width = 8 * operandBytes(first?.size ?? 'v', operandSize);
  return {
    template,
    encoding,
    branchBytes: branchBytes(column.immediates, operandSize),
    undefinedFlags: undefinedFlags(name, { width, count }),
    undefinedMemory: undefinedBytes(name, operandSize).map(([from, to]) => [
      (address ?? 0n) + BigInt(from),
      (address ?? 0n) + BigInt(to),
    ]),
  };
}

/** Alignment of the memory operand that the instruction demands, or 1. */
function alignmentOf({ instruction, form }: Template): number {
  if (/^(xsave|xrstor)/.test(instruction.name)) return 64;
  const aligned = form.attributes.includes('aligned');
  return aligned || /^(cmpxchg16b|fxsave|fxrstor)$/.test(instruction.name) ? 16 : 1;
}

function choosesMemory(b: CaseBuilder, template: Template): boolean {
  const { column, letters } = template;
  if (column.modrm === undefined || column.mod === 'register') return false;
  if (column.mod === 'memory' || letters.some(({ kind }) => kind === 'M')) return true;
  if (!letters.some(({ kind }) => 'EWQ'.includes(kind))) return false;
  // processors disagree on PREFETCH of a register
  if (template.instruction.name.startsWith('prefetch')) return true;
  return !b.random.oneIn(3);
}

/** LOCK where it is not allowed is #UD, but for LOCK MOV CR0, which is MOV CR8 on AMD processors. */
function mayRefuseLock({ column, letters }: Template): boolean {
  return column.vex === undefined && !letters.some(({ kind }) => kind === 'C');
}

/** Which size prefixes change the operand size of this form and cannot select another form. */
function sizeFreedom({ instruction, form, column, letters }: Template): {
  allow66: boolean;
  allowW: boolean;
} {
  const has = (attribute: string) => form.attributes.includes(attribute as never);
  if (column.vex !== undefined) return { allow66: false, allowW: false };
  const string = has('rep') && !instruction.name.endsWith('b');
  const convert =
    column.bytes.length === 1 && (column.bytes[0] === 0x98 || column.bytes[0] === 0x99);
  const v = letters.some(({ size, text }) => size === 'v' || size === 'z' || /^[re]AX$/.test(text));
  const y = letters.some(({ size }) => size === 'y');
  const sized = v || string || convert;
  const loose = column.prefix !== 'NP' && column.prefix !== '66';
  return {
    allow66: loose && (sized || has('d64')) && !has('f64') && instruction.name !== 'bswap',
    allowW: (sized || y) && !column.rexW,
  };
}

function vexWOf(b: CaseBuilder, { column, letters }: Template): 0 | 1 {
  if (column.vex?.w !== undefined) return column.vex.w;
  if (b.bits === 32 && letters.some(({ size }) => size === 'y')) return 0;
  return b.random.oneIn(2) ? 1 : 0;
}

/** Bytes of the memory operand; for operands without a size what the instruction reaches. */
function memoryBytes({ instruction, letters }: Template, operandSize: number): number {
  const letter = letters.find(({ kind }) => 'EWQM'.includes(kind));
  const reach = letter?.size === '' ? reachOf(instruction.name) : undefined;
  if (reach !== undefined) return reach;
  return operandBytes(letter?.size ?? '', operandSize);
}

type RegisterKind = 'general' | 'vector' | 'mmx' | 'control' | 'debug';

function registerKind({ letters }: Template, place: 'reg' | 'rm'): RegisterKind {
  const [general, vector, mmx] = place === 'reg' ? ['G', 'V', 'P'] : ['ERZ', 'WU', 'QN'];
  for (const { kind } of letters) {
    if ((general as string).includes(kind)) return 'general';
    if ((vector as string).includes(kind)) return 'vector';
    if ((mmx as string).includes(kind)) return 'mmx';
    if (place === 'reg' && kind === 'C') return 'control';
    if (place === 'reg' && kind === 'D') return 'debug';
  }
  return 'general';
}

function chooseRegister(b: CaseBuilder, kind: RegisterKind): number {
  const { random } = b;
  if (kind === 'vector') return random.below(b.registers);
  if (kind === 'mmx' || kind === 'debug') return random.below(8);
  if (kind === 'control') return random.pick(b.bits === 64 ? [0, 2, 3, 4, 8] : [0, 2, 3, 4]);
  for (let attempt = 0; attempt < 6; attempt++) {
    const register = random.below(b.registers);
    if (register === RSP && !random.oneIn(8)) continue;
    if (b.free(register) || random.oneIn(8)) return register;
  }
  return random.below(b.registers);
}

function immediateOf(
  b: CaseBuilder,
  template: Template,
  token: string,
  operandSize: number,
): { value: bigint; bytes: number } {
  const { random } = b;
  const name = template.instruction.name;
  if (token === 'is4') return { value: BigInt(random.below(b.registers) << 4), bytes: 1 };
  if (token === 'ib') {
    if (name === 'int') return { value: BigInt(random.pick(CALLABLE_VECTORS)), bytes: 1 };
    if (/^sh[lr]d$/.test(name) && operandSize === 2) {
      return { value: BigInt(random.below(17)), bytes: 1 };
    }
    return { value: BigInt(random.oneIn(2) ? random.below(70) : random.below(256)), bytes: 1 };
  }
  if (name === 'ret' || name === 'enter') return { value: BigInt(8 * random.below(32)), bytes: 2 };
  const bytes =
    { iw: 2, id: 4, iz: Math.min(operandSize, 4), iv: operandSize, iq: 8, io: 8 }[token] ?? 4;
  return { value: interestingInteger(random), bytes };
}

function branchBytes(immediates: readonly string[], operandSize: number): number {
  const token = immediates.find((each) => each.startsWith('c'));
  if (token === undefined) return 0;
  return token === 'cb' ? 1 : token === 'cw' || operandSize === 2 ? 2 : 4;
}

/** The count of a shift when it is known now, else undefined. */
function shiftCount(
  b: CaseBuilder,
  { letters }: Template,
  immediates: readonly { value: bigint }[],
): number | undefined {
  const last = letters.at(-1)?.text;
  if (last === '1') return 1;
  if (last === 'Ib') return Number((immediates[0]?.value ?? 0n) & 0xffn);
  if (last === 'CL') {
    const value = b.known(RCX);
    return value === undefined ? undefined : Number(value & 0xffn);
  }
  return undefined;
}

/** Every register the instruction may change serves no address from here on. */
function markWrites(b: CaseBuilder, template: Template, e: Encoding, memory: boolean): void {
  const { column, letters, form } = template;
  const general = (register: number, size: string) => {
    b.wrote(register);
    if (size === 'b' && register >= 4 && register < 8) b.wrote(register - 4);
  };
  for (const { kind, size, text } of letters) {
    if ((kind === 'G' || kind === 'B') && column.modrm !== undefined) {
      general(kind === 'G' ? e.reg : e.vvvv, size);
    }
    if (!memory && 'ERZ'.includes(kind) && typeof e.rm === 'number') general(e.rm, size);
    if (/^([re]?A[LXH])$/.test(text)) b.wrote(0);
    if (/^[re]?DX$/.test(text)) b.wrote(2);
  }
  if (form.attributes.includes('rep')) for (const register of [0, 1, 6, 7]) b.wrote(register);
  for (const register of impliedWrites(template.instruction.name)) b.wrote(register);
}

function shuffle(b: CaseBuilder, items: number[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = b.random.below(i + 1);
    const kept = items[i] as number;
    items[i] = items[j] as number;
    items[j] = kept;
  }
}
