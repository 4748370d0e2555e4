import type { OpcodeColumn } from './opcode-column.ts';

/** A memory operand. Register numbers are 0 to 15; `base` undefined and `rip` false is absolute. */
export interface MemoryReference {
  readonly base: number | undefined;
  readonly index: number | undefined;
  /** log2 of the scale */
  readonly scale: number;
  readonly displacement: number;
  /** the displacement is the target address; the encoder makes it relative */
  readonly rip: boolean;
  /** 16-bit addressing: base is BX, BP, SI or DI, index SI or DI with BX or BP */
  readonly short: boolean;
}

/** Everything the bytes of one instruction are made from. */
export interface Encoding {
  readonly column: OpcodeColumn;
  /** legacy prefixes in front, in this order; the mandatory prefix is added after them */
  readonly prefixes: readonly number[];
  readonly rexW: boolean;
  /** a REX prefix even when no bit needs one: makes SPL of AH */
  readonly rexAlways: boolean;
  /** ModRM.reg operand, 0 to 15 */
  readonly reg: number;
  /** register in ModRM.rm or in the opcode byte */
  readonly rm: number | MemoryReference;
  readonly vvvv: number;
  readonly vexL: 0 | 1;
  readonly vexW: 0 | 1;
  /** what follows: value and length in bytes */
  readonly immediates: readonly { value: bigint; bytes: number }[];
  /** relative branches: the target; replaces the immediate of that length */
  readonly branch: { target: number; bytes: number } | undefined;
}

/** The bytes of an instruction that starts at `address`, in 64-bit or in 32-bit code. */
export function encode(e: Encoding, address: number, mode: 32 | 64): Uint8Array {
  const { column } = e;
  const bytes = [...e.prefixes];
  const memory = typeof e.rm === 'number' ? undefined : e.rm;
  const reg = column.modrm === 'r' ? e.reg : (column.modrm ?? 0);
  const b = column.plusStack
    ? 0
    : ((memory === undefined ? (e.rm as number) : (memory.base ?? 0)) >> 3) & 1;
  const x = ((memory?.index ?? 0) >> 3) & 1;
  const r = (reg >> 3) & 1;

  if (column.vex !== undefined) {
    const { prefix, map } = column.vex;
    const last = ((~e.vvvv & 15) << 3) | (e.vexL << 2) | prefix;
    if (map === 1 && e.vexW === 0 && b === 0 && x === 0 && !e.rexAlways) {
      bytes.push(0xc5, ((r ^ 1) << 7) | last);
    } else {
      bytes.push(0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | map);
      bytes.push((e.vexW << 7) | last);
    }
    bytes.push(...column.bytes);
  } else {
    if (column.prefix !== 'none' && column.prefix !== 'NP') {
      bytes.push(Number.parseInt(column.prefix, 16));
    }
    const w = e.rexW || column.rexW ? 8 : 0;
    const rex = w | (r << 2) | (x << 1) | b;
    if (mode === 64 && (rex !== 0 || e.rexAlways)) bytes.push(0x40 | rex);
    bytes.push(...column.bytes);
    if (column.plusRegister || column.plusStack) bytes[bytes.length - 1]! |= (e.rm as number) & 7;
  }

  const tail = e.immediates.reduce((sum, each) => sum + each.bytes, 0) + (e.branch?.bytes ?? 0);
  if (column.modrm !== undefined) {
    if (memory === undefined) bytes.push(0xc0 | ((reg & 7) << 3) | ((e.rm as number) & 7));
    else if (memory.short) pushShortMemory(bytes, reg & 7, memory);
    else pushMemory(bytes, reg & 7, memory, address, tail, mode);
  }
  for (const { value, bytes: length } of e.immediates) push(bytes, value, length);
  if (e.branch !== undefined) {
    const next = address + bytes.length + e.branch.bytes;
    push(bytes, BigInt(e.branch.target - next), e.branch.bytes);
  }
  return Uint8Array.from(bytes);
}

function push(bytes: number[], value: bigint, length: number): void {
  let rest = BigInt.asUintN(64, value);
  for (let i = 0; i < length; i++) {
    bytes.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
}

/** ModRM, SIB and displacement. SDM Vol. 2A, 2.1.5 and 2.2.1. */
function pushMemory(
  bytes: number[],
  reg: number,
  memory: MemoryReference,
  address: number,
  tail: number,
  mode: 32 | 64,
): void {
  const { base, index, scale, displacement } = memory;
  if (memory.rip) {
    bytes.push((reg << 3) | 5);
    push(bytes, BigInt(displacement - (address + bytes.length + 4 + tail)), 4);
    return;
  }
  if (base === undefined && index === undefined && mode === 32) {
    bytes.push((reg << 3) | 5);
    push(bytes, BigInt(displacement), 4);
    return;
  }
  if (base === undefined) {
    bytes.push((reg << 3) | 4, (scale << 6) | (((index ?? 4) & 7) << 3) | 5);
    push(bytes, BigInt(displacement), 4);
    return;
  }
  const needsSib = index !== undefined || (base & 7) === 4;
  const mod =
    displacement === 0 && (base & 7) !== 5
      ? 0
      : displacement === (displacement << 24) >> 24
        ? 1
        : 2;
  bytes.push((mod << 6) | (reg << 3) | (needsSib ? 4 : base & 7));
  if (needsSib) bytes.push((scale << 6) | (((index ?? 4) & 7) << 3) | (base & 7));
  if (mod !== 0) push(bytes, BigInt(displacement), mod === 1 ? 1 : 4);
}

/** Base and index of ModRM.rm 0 to 7 with 16-bit addresses. SDM Vol. 2A, Table 2-1. */
const SHORT_FORMS: readonly (readonly [number, number | undefined])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, undefined],
  [7, undefined],
  [5, undefined],
  [3, undefined],
];

function pushShortMemory(bytes: number[], reg: number, memory: MemoryReference): void {
  const { base, index, displacement } = memory;
  if (base === undefined) {
    bytes.push((reg << 3) | 6);
    push(bytes, BigInt(displacement), 2);
    return;
  }
  const rm = SHORT_FORMS.findIndex(([one, other]) => one === base && other === index);
  if (rm < 0) throw new Error('no such 16-bit address');
  const mod =
    displacement === 0 && rm !== 6 ? 0 : displacement === (displacement << 24) >> 24 ? 1 : 2;
  bytes.push((mod << 6) | (reg << 3) | rm);
  if (mod !== 0) push(bytes, BigInt(displacement), mod);
}
