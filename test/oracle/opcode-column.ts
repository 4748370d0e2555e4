import type { Form } from '../../src/x86/form.ts';

/** What an opcode column says, taken apart: enough to encode the instruction. SDM Vol. 2A, 3.1.1.1. */
export interface OpcodeColumn {
  /** mandatory prefix; `NP` forbids one, `none` leaves prefixes to the operands */
  readonly prefix: 'none' | 'NP' | '66' | 'F2' | 'F3';
  readonly rexW: boolean;
  readonly vex: VexColumn | undefined;
  /** opcode bytes, escape bytes included (with VEX: the opcode alone) */
  readonly bytes: readonly number[];
  /** a register number is added to the last byte */
  readonly plusRegister: boolean;
  /** an x87 stack register number is added to the last byte */
  readonly plusStack: boolean;
  /** ModRM.reg: `r` a register operand, 0 to 7 an opcode extension, undefined without ModRM */
  readonly modrm: 'r' | number | undefined;
  readonly mod: 'any' | 'memory' | 'register';
  /** what follows: `ib iw id iq iz iv is4 cb cw cd cz` */
  readonly immediates: readonly string[];
}

export interface VexColumn {
  readonly length: 128 | 256 | undefined;
  readonly prefix: 0 | 1 | 2 | 3;
  readonly map: 1 | 2 | 3;
  readonly w: 0 | 1 | undefined;
}

/** Reads the opcode column of `form`. Throws on a token it does not know. */
export function readOpcodeColumn(form: Form): OpcodeColumn {
  let prefix: OpcodeColumn['prefix'] = 'none';
  let rexW = false;
  let vex: VexColumn | undefined;
  const bytes: number[] = [];
  let plusRegister = false;
  let plusStack = false;
  let modrm: OpcodeColumn['modrm'];
  let mod: OpcodeColumn['mod'] = 'any';
  const immediates: string[] = [];

  const mayPrefix = () => bytes.length === 0 && vex === undefined && prefix === 'none';
  for (const token of form.opcode.split(/\s+/)) {
    const digit = /^\/(\d)$/.exec(token)?.[1];
    const [, plus, plusWhat] = /^([0-9A-F]{2})\+([ri])$/.exec(token) ?? [];
    if (token === 'NP') prefix = 'NP';
    else if (mayPrefix() && (token === '66' || token === 'F2' || token === 'F3')) {
      prefix = token;
    } else if (token === 'REX.W') rexW = true;
    else if (token === 'W0') continue;
    else if (token.startsWith('VEX.')) vex = readVex(token);
    else if (token === '/r') modrm = 'r';
    else if (digit !== undefined) modrm = Number(digit);
    else if (token === 'mod!=3') mod = 'memory';
    else if (token === 'mod=3') mod = 'register';
    else if (plus !== undefined) {
      bytes.push(Number.parseInt(plus, 16));
      if (plusWhat === 'r') plusRegister = true;
      else plusStack = true;
    } else if (/^[0-9A-F]{2}$/.test(token)) bytes.push(Number.parseInt(token, 16));
    else if (/^(i[bwdqzvo]|c[bwdzp]|\/is4)$/.test(token)) immediates.push(token.replace('/', ''));
    else throw new Error(`unknown token "${token}" in opcode column "${form.opcode}"`);
  }
  if (bytes.length === 0) throw new Error(`no opcode byte in "${form.opcode}"`);
  return { prefix, rexW, vex, bytes, plusRegister, plusStack, modrm, mod, immediates };
}

function readVex(token: string): VexColumn {
  const parts = token.split('.').slice(1);
  const has = (name: string) => parts.includes(name);
  return {
    length: has('256') || has('L1') ? 256 : has('128') || has('L0') || has('LZ') ? 128 : undefined,
    prefix: has('66') ? 1 : has('F3') ? 2 : has('F2') ? 3 : 0,
    map: has('0F38') ? 2 : has('0F3A') ? 3 : 1,
    w: has('W1') ? 1 : has('W0') ? 0 : undefined,
  };
}

/** One operand letter taken apart: `Ev` is kind E, size v; `rAX` and other fixed registers are kind `fixed`. */
export interface OperandLetter {
  readonly kind: string;
  readonly size: string;
  readonly text: string;
}

export function readOperandLetter(text: string): OperandLetter {
  const match = /^([A-Z])([a-z]*)$/.exec(text);
  if (match === null) return { kind: 'fixed', size: '', text };
  return { kind: match[1] as string, size: match[2] as string, text };
}

/** Bytes of an operand of `size` at an operand size of `operandBytes`. Unsized memory counts as 16. */
export function operandBytes(size: string, operandSize: number): number {
  switch (size) {
    case 'b':
      return 1;
    case 'w':
      return 2;
    case 'd':
    case 'ss':
      return 4;
    case 'q':
    case 'sd':
      return 8;
    case 'v':
      return operandSize;
    case 'z':
      return Math.min(operandSize, 4);
    case 'y':
      return operandSize === 8 ? 8 : 4;
    case 'qq':
      return 32;
    default:
      return 16;
  }
}
