import { type Attribute, type Form, form } from '../form.ts';

/** VEX encodings. SDM Vol. 2A, 2.3. */

/** VEX.L that an encoding asks for. */
export type Length = 128 | 256 | 'LIG';

/** CPUID features of the 128-bit and the 256-bit form; undefined where there is none. */
export interface Gates {
  readonly narrow?: string;
  readonly wide?: string;
  readonly w?: 'W0' | 'W1';
}

/** Both lengths by AVX, as floating-point instructions have it. */
export const AVX: Gates = { narrow: 'avx', wide: 'avx' };
/** 256 bits by AVX2, as integer instructions have it. */
export const AVX_AVX2: Gates = { narrow: 'avx', wide: 'avx2' };
/** Both lengths by AVX2. */
export const AVX2: Gates = { narrow: 'avx2', wide: 'avx2' };
/** 128 bits only. */
export const AVX_128: Gates = { narrow: 'avx' };
/** 256 bits only. */
export const AVX_256: Gates = { wide: 'avx' };
export const AVX2_256: Gates = { wide: 'avx2' };

/**
 * One VEX form. `opcode` is written as for legacy encodings, mandatory prefix first: `66 0F 38 04 /r`.
 */
export function vexForm(
  length: Length,
  opcode: string,
  operands: string,
  feature: string,
  w: string | undefined,
  ...attributes: Attribute[]
): Form {
  const [prefix, ...rest] = opcode.split(' ');
  const three = rest[1] === '38' || rest[1] === '3A';
  const map = three ? `0F${rest[1]}` : '0F';
  const tail = rest.slice(three ? 2 : 1).join(' ');
  const sized = length === 256 ? operands.replace(/\b([A-Z])x\b/g, '$1qq') : operands;
  return form(
    `VEX.${length}.${prefix}.${map}.${w ?? 'WIG'} ${tail}`,
    sized,
    'avx',
    'noreal',
    `cpuid:${feature}`,
    ...attributes,
  );
}

/** The forms of an encoding in every length its gates allow; `x` operands are as long as the vector. */
export function vex(
  opcode: string,
  operands: string,
  gates: Gates,
  ...attributes: Attribute[]
): Form[] {
  const forms: Form[] = [];
  const { narrow, wide, w } = gates;
  if (narrow !== undefined) forms.push(vexForm(128, opcode, operands, narrow, w, ...attributes));
  if (wide !== undefined) forms.push(vexForm(256, opcode, operands, wide, w, ...attributes));
  return forms;
}

/** A form of a scalar instruction: VEX.L is ignored. */
export function vexScalar(
  opcode: string,
  operands: string,
  w?: 'W0' | 'W1',
  feature = 'avx',
): Form[] {
  return [vexForm('LIG', opcode, operands, feature, w)];
}
