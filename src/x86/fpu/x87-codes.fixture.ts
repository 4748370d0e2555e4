/** Encodings of x87 instructions for tests, by name. A memory operand is [rsi]. */

const memory = (opcode: number, digit: number): number[] => [opcode, (digit << 3) | 6];

const OPERATIONS = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'];

function arithmetic(): Record<string, number[]> {
  const codes: Record<string, number[]> = {};
  OPERATIONS.forEach((name, digit) => {
    for (const [suffix, opcode] of Object.entries({ f32: 0xd8, f64: 0xdc, i32: 0xda, i16: 0xde })) {
      codes[`f${name} ${suffix}`] = memory(opcode, digit);
    }
    codes[`f${name} st0,st1`] = [0xd8, 0xc1 + 8 * digit];
    codes[`f${name} st2,st0`] = [0xdc, 0xc2 + 8 * digit];
    if (digit !== 3) codes[`f${name}p st1,st0`] = [0xde, 0xc1 + 8 * digit];
  });
  return codes;
}

/** Everything but the transcendental instructions: exact to the last bit and flag. */
export const exactCodes: Readonly<Record<string, readonly number[]>> = {
  ...arithmetic(),
  fcompp: [0xde, 0xd9],
  fucompp: [0xda, 0xe9],
  'fld f32': memory(0xd9, 0),
  'fst f32': memory(0xd9, 2),
  'fstp f32': memory(0xd9, 3),
  fldcw: memory(0xd9, 5),
  fnstcw: memory(0xd9, 7),
  'fld f64': memory(0xdd, 0),
  'fisttp i64': memory(0xdd, 1),
  'fst f64': memory(0xdd, 2),
  'fstp f64': memory(0xdd, 3),
  fnstsw: memory(0xdd, 7),
  'fild i32': memory(0xdb, 0),
  'fisttp i32': memory(0xdb, 1),
  'fist i32': memory(0xdb, 2),
  'fistp i32': memory(0xdb, 3),
  'fld f80': memory(0xdb, 5),
  'fstp f80': memory(0xdb, 7),
  'fild i16': memory(0xdf, 0),
  'fisttp i16': memory(0xdf, 1),
  'fist i16': memory(0xdf, 2),
  'fistp i16': memory(0xdf, 3),
  fbld: memory(0xdf, 4),
  'fild i64': memory(0xdf, 5),
  fbstp: memory(0xdf, 6),
  'fistp i64': memory(0xdf, 7),
  'fld st2': [0xd9, 0xc2],
  'fxch st1': [0xd9, 0xc9],
  'fxch st1 (DD)': [0xdd, 0xc9],
  'fxch st1 (DF)': [0xdf, 0xc9],
  fnop: [0xd9, 0xd0],
  'fstpnce st1': [0xd9, 0xd9],
  'fst st1': [0xdd, 0xd1],
  'fstp st1': [0xdd, 0xd9],
  'fstp st1 (DF D0)': [0xdf, 0xd1],
  'fstp st1 (DF D8)': [0xdf, 0xd9],
  fchs: [0xd9, 0xe0],
  fabs: [0xd9, 0xe1],
  ftst: [0xd9, 0xe4],
  fxam: [0xd9, 0xe5],
  fld1: [0xd9, 0xe8],
  fldl2t: [0xd9, 0xe9],
  fldl2e: [0xd9, 0xea],
  fldpi: [0xd9, 0xeb],
  fldlg2: [0xd9, 0xec],
  fldln2: [0xd9, 0xed],
  fldz: [0xd9, 0xee],
  fxtract: [0xd9, 0xf4],
  fprem1: [0xd9, 0xf5],
  fdecstp: [0xd9, 0xf6],
  fincstp: [0xd9, 0xf7],
  fprem: [0xd9, 0xf8],
  fsqrt: [0xd9, 0xfa],
  frndint: [0xd9, 0xfc],
  fscale: [0xd9, 0xfd],
  'fcmovb st1': [0xda, 0xc1],
  'fcmove st1': [0xda, 0xc9],
  'fcmovbe st1': [0xda, 0xd1],
  'fcmovu st1': [0xda, 0xd9],
  'fcmovnb st1': [0xdb, 0xc1],
  'fcmovne st1': [0xdb, 0xc9],
  'fcmovnbe st1': [0xdb, 0xd1],
  'fcmovnu st1': [0xdb, 0xd9],
  fnclex: [0xdb, 0xe2],
  fninit: [0xdb, 0xe3],
  'fucomi st1': [0xdb, 0xe9],
  'fcomi st1': [0xdb, 0xf1],
  'fucomip st1': [0xdf, 0xe9],
  'fcomip st1': [0xdf, 0xf1],
  'ffree st1': [0xdd, 0xc1],
  'ffreep st1': [0xdf, 0xc1],
  'fucom st1': [0xdd, 0xe1],
  'fucomp st1': [0xdd, 0xe9],
  fwait: [0x9b],
};

/** Compared with a tolerance: processors do not round these correctly, and differ from each other. */
export const transcendentalCodes: Readonly<Record<string, readonly number[]>> = {
  f2xm1: [0xd9, 0xf0],
  fyl2x: [0xd9, 0xf1],
  fptan: [0xd9, 0xf2],
  fpatan: [0xd9, 0xf3],
  fyl2xp1: [0xd9, 0xf9],
  fsincos: [0xd9, 0xfb],
  fsin: [0xd9, 0xfe],
  fcos: [0xd9, 0xff],
};
