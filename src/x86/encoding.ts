import { assert } from '../util/mod.ts';
import type { Attribute, Form, Instruction } from './form.ts';

/** Opcode maps: one-byte, 0F, 0F38, 0F3A. VEX encodings have tables of their own. */
export type OpcodeMap = 0 | 1 | 2 | 3;

/** Immediate bytes that follow the ModRM operand. Sizes z, v and o depend on operand or address size. */
export type ImmediateKind =
  | 'none'
  | 'b'
  | 'w'
  | 'd'
  | 'z'
  | 'v'
  | 'wb'
  | 'far'
  | 'offset'
  | 'relb'
  | 'relz';

export interface OperandLetter {
  /** E G M R I J O Z V W U H P Q N L S C D B X Y A, `i` (ST(i)), `AL`..., `1` */
  readonly letter: string;
  /** b w d q v z y dq x ps pd ss sd qq p a s, or '' */
  readonly size: string;
}

/** A form, parsed: what the decoder matches and what operands follow. */
export interface Encoding {
  readonly id: number;
  readonly instruction: Instruction;
  readonly form: Form;
  readonly map: OpcodeMap;
  readonly opcode: number;
  /** the low three opcode bits name a register */
  readonly plus: boolean;
  readonly hasModrm: boolean;
  /** ModRM.reg must have this value, or -1 */
  readonly digit: number;
  /** ModRM must have this value, or -1; with `stack` its low three bits are free */
  readonly modrm: number;
  readonly stack: boolean;
  readonly mod: 'any' | 'register' | 'memory';
  /** mandatory prefix: 0 none allowed (NP), 0x66, 0xf2, 0xf3, or -1 when prefixes do not select */
  readonly prefix: number;
  /** REX.W or VEX.W must have this value, or -1 */
  readonly w: number;
  /** undefined: legacy; else VEX with L 0, 1 or -1 (ignored) */
  readonly vex: { readonly l: number } | undefined;
  readonly immediate: ImmediateKind;
  readonly operands: readonly OperandLetter[];
  readonly attributes: ReadonlySet<Attribute>;
  /** registers of the form use VEX.vvvv */
  readonly usesVvvv: boolean;
}

const FIXED_OPERANDS = new Set(['AL', 'CL', 'DX', 'AX', 'eAX', 'rAX', '1', 'AH']);
const REGISTER_ONLY = new Set(['R', 'U', 'N']);
const MODRM_LETTERS = new Set(['E', 'G', 'M', 'R', 'V', 'W', 'U', 'P', 'Q', 'N', 'S', 'C', 'D']);

function parseOperand(text: string): OperandLetter {
  if (FIXED_OPERANDS.has(text)) return { letter: text, size: '' };
  if (text === 'STi' || text === 'ST(i)') return { letter: 'i', size: '' };
  return { letter: text.charAt(0), size: text.slice(1) };
}

const MAPS: Record<string, OpcodeMap> = { '0F': 1, '0F38': 2, '0F3A': 3 };
const IMMEDIATES: Record<string, ImmediateKind> = {
  ib: 'b',
  iw: 'w',
  id: 'd',
  iz: 'z',
  iv: 'v',
  io: 'v',
  iq: 'v',
  cb: 'relb',
  cz: 'relz',
  cd: 'relz',
  cw: 'relz',
  cp: 'far',
  '/is4': 'b',
};

/** Parses the opcode column of `form`. Throws on anything it does not understand. */
export function parseForm(id: number, instruction: Instruction, form: Form): Encoding {
  const where = `${instruction.name} ${form.opcode}`;
  let map: OpcodeMap = 0;
  let prefix = -1;
  let w = -1;
  let vex: Encoding['vex'];
  let opcode = -1;
  let modrm = -1;
  let digit = -1;
  let plus = false;
  let stack = false;
  let slashR = false;
  let immediate: ImmediateKind = 'none';
  let mod: Encoding['mod'] = 'any';
  const operands = form.operands.map(parseOperand);

  const tokens = form.opcode.split(' ');
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as string;
    if (token.startsWith('VEX.')) {
      let l = -1;
      for (const part of token.split('.').slice(1)) {
        if (part === '128' || part === 'L0' || part === 'LZ') l = 0;
        else if (part === '256' || part === 'L1') l = 1;
        else if (
          part === 'LIG' ||
          part === 'WIG' ||
          part === 'NDS' ||
          part === 'NDD' ||
          part === 'DDS'
        )
          continue;
        else if (part === 'NP') prefix = 0;
        else if (part === '66' || part === 'F2' || part === 'F3')
          prefix = Number.parseInt(part, 16);
        else if (part === 'W0') w = 0;
        else if (part === 'W1') w = 1;
        else if (part in MAPS) map = MAPS[part] as OpcodeMap;
        else throw new Error(`${where}: unknown VEX field ${part}`);
      }
      if (prefix < 0) prefix = 0;
      vex = { l };
    } else if (token === 'NP') prefix = 0;
    else if (token === 'REX.W') w = 1;
    else if (token === 'W0') w = 0;
    else if (token === '/r') slashR = true;
    else if (/^\/[0-7]$/.test(token)) digit = Number(token.charAt(1));
    else if (token === 'mod=3') mod = 'register';
    else if (token === 'mod!=3') mod = 'memory';
    else if (token in IMMEDIATES) {
      const next = IMMEDIATES[token] as ImmediateKind;
      immediate = immediate === 'w' && next === 'b' ? 'wb' : next;
    } else if (/^[0-9A-F]{2}\+[ir]$/.test(token)) {
      const byte = Number.parseInt(token.slice(0, 2), 16);
      if (token.endsWith('+i')) {
        modrm = byte;
        stack = true;
      } else {
        opcode = byte;
        plus = true;
      }
    } else if (/^[0-9A-F]{2}$/.test(token)) {
      const byte = Number.parseInt(token, 16);
      const selects = byte === 0x66 || byte === 0xf2 || byte === 0xf3;
      if (
        opcode < 0 &&
        selects &&
        map === 0 &&
        tokens.slice(at + 1).some((t) => /^[0-9A-F]{2}/.test(t)) &&
        prefix < 0
      ) {
        prefix = byte;
      } else if (opcode < 0 && vex === undefined && byte === 0x0f && map === 0) map = 1;
      else if (opcode < 0 && vex === undefined && map === 1 && byte === 0x38) map = 2;
      else if (opcode < 0 && vex === undefined && map === 1 && byte === 0x3a) map = 3;
      else if (opcode < 0) opcode = byte;
      else if (modrm < 0) modrm = byte;
      else throw new Error(`${where}: too many opcode bytes`);
    } else throw new Error(`${where}: cannot read ${token}`);
  }
  assert(opcode >= 0, `${where}: no opcode byte`);
  for (const { letter } of operands) {
    if (letter === 'O') immediate = 'offset';
    if (letter === 'M') mod = 'memory';
    if (REGISTER_ONLY.has(letter)) mod = 'register';
  }
  const hasModrm =
    slashR ||
    digit >= 0 ||
    modrm >= 0 ||
    mod !== 'any' ||
    operands.some(({ letter }) => MODRM_LETTERS.has(letter));
  return {
    id,
    instruction,
    form,
    map,
    opcode,
    plus,
    hasModrm,
    digit,
    modrm,
    stack,
    mod,
    prefix,
    w,
    vex,
    immediate,
    operands,
    attributes: new Set(form.attributes),
    usesVvvv: operands.some(({ letter }) => letter === 'H' || letter === 'B'),
  };
}

/** How many conditions an encoding states: candidates are tried from the most to the least specific. */
export function specificity(encoding: Encoding): number {
  return (
    (encoding.modrm >= 0 ? (encoding.stack ? 16 : 32) : 0) +
    (encoding.digit >= 0 ? 8 : 0) +
    (encoding.mod !== 'any' ? 4 : 0) +
    (encoding.prefix > 0 ? 2 : encoding.prefix === 0 ? 1 : 0) +
    (encoding.w >= 0 ? 1 : 0)
  );
}
