/** Bytes that a processor may take for code: some random, some instructions with random operands. */
import { type Encoding, instructions } from '../../../src/x86/mod.ts';
import { buildOpcodeTable } from '../../../src/x86/opcode-table.ts';
import type { Random } from '../../oracle/random.ts';

const { encodings } = buildOpcodeTable(instructions);
const LEGACY_PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
/** Undoes damage that ends most cases at once, so that more of the code behind is run. */
const HARMLESS = ['hlt', 'int', 'int3', 'ud0', 'ud1', 'ud2', 'int1'];

/** Fills `target` with code of `bits`. */
export function fillWithCode(random: Random, target: Uint8Array, bits: 16 | 32 | 64): void {
  const kind = random.below(8);
  if (kind === 0) {
    for (let i = 0; i < target.length; i++) target[i] = random.below(256);
    return;
  }
  for (let at = 0; at < target.length; ) {
    const bytes = randomInstruction(random, bits);
    if (kind === 1 && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    for (const byte of bytes) if (at < target.length) target[at++] = byte;
  }
}

/** One instruction of any form, with prefixes and operands as they come. */
function randomInstruction(random: Random, bits: 16 | 32 | 64): number[] {
  const bytes: number[] = [];
  let encoding = random.pick(encodings);
  for (let tries = 0; tries < 4 && isPoor(encoding, bits); tries++)
    encoding = random.pick(encodings);
  while (random.oneIn(6)) bytes.push(random.pick(LEGACY_PREFIXES));
  const { map, vex } = encoding;
  if (vex !== undefined) {
    const prefix = [0, 0x66, 0xf3, 0xf2].indexOf(Math.max(encoding.prefix, 0));
    const w = encoding.w >= 0 ? encoding.w : random.below(2);
    const l = vex.l >= 0 ? vex.l : random.below(2);
    const v = encoding.usesVvvv || random.oneIn(20) ? random.below(16) : 15;
    const rxb = bits === 64 ? random.below(8) : 6 | random.below(2);
    bytes.push(0xc4, (rxb << 5) | map, (w << 7) | (v << 3) | (l << 2) | prefix);
  } else {
    if (encoding.prefix > 0) bytes.push(encoding.prefix);
    if (bits === 64 && (encoding.w === 1 || random.oneIn(3))) {
      bytes.push(0x40 | random.below(16) | (encoding.w === 1 ? 8 : 0));
    }
    if (map > 0) bytes.push(0x0f);
    if (map === 2) bytes.push(0x38);
    if (map === 3) bytes.push(0x3a);
  }
  bytes.push(encoding.opcode | (encoding.plus ? random.below(8) : 0));
  if (encoding.hasModrm) pushOperand(random, bytes, encoding, bits);
  pushImmediate(random, bytes, encoding, bits);
  return bytes;
}

/** Instructions that end a case are chosen less often. */
function isPoor({ instruction, attributes }: Encoding, bits: number): boolean {
  if (bits === 64 && attributes.has('no64')) return true;
  if (bits !== 64 && attributes.has('only64')) return true;
  return HARMLESS.includes(instruction.name);
}

function pushOperand(random: Random, bytes: number[], encoding: Encoding, bits: number): void {
  if (encoding.modrm >= 0) {
    bytes.push(encoding.modrm | (encoding.stack ? random.below(8) : 0));
    return;
  }
  const register = encoding.mod === 'register' || (encoding.mod === 'any' && random.oneIn(2));
  // mostly short displacements, which stay near what registers point at
  const mod = register ? 3 : random.pick([0, 0, 1, 1, 1, 2]);
  const reg = encoding.digit >= 0 ? encoding.digit : random.below(8);
  const rm = encoding.attributes.has('vsib') && bits !== 16 ? 4 : random.below(8);
  bytes.push((mod << 6) | (reg << 3) | rm);
  if (register) return;
  const wide = bits !== 16;
  if (wide && rm === 4) bytes.push(random.below(256));
  const displacement =
    mod === 1 ? 1 : mod === 2 || (mod === 0 && rm === (wide ? 5 : 6)) ? (wide ? 4 : 2) : 0;
  const far = displacement > 1 && random.oneIn(3);
  for (let i = 0; i < displacement; i++) {
    bytes.push(far || i === 0 ? random.below(256) : i === 1 ? random.below(16) : 0);
  }
}

function pushImmediate(
  random: Random,
  bytes: number[],
  { immediate }: Encoding,
  bits: number,
): void {
  const word = bits === 16 ? 2 : 4;
  const length = {
    none: 0,
    b: 1,
    w: 2,
    d: 4,
    z: word,
    v: word,
    wb: 3,
    far: word + 2,
    offset: bits / 8,
    relb: 1,
    relz: word,
  }[immediate];
  const near = immediate === 'relz' || immediate === 'offset';
  const sign = random.oneIn(2) ? 0xff : 0;
  for (let i = 0; i < length; i++) {
    if (!near) bytes.push(random.below(256));
    else if (immediate === 'relz') bytes.push(i === 0 ? random.below(256) : sign);
    else bytes.push(i < 2 ? random.below(256) : i === 2 ? 1 : 0);
  }
}
