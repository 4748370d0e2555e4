import { define, type Form, type Instruction } from '../form.ts';
import { AVX, AVX_128, AVX_AVX2, type Gates, vex, vexForm, vexScalar } from './avx-shared.ts';
import { sseInstructions } from './sse.ts';
import { widenRows } from './sse-element.ts';
import { integerRows } from './sse-integer.ts';
import { shiftRows } from './sse-shift.ts';
import { unpackRows } from './sse-unpack.ts';

/**
 * VEX encodings of SSE instructions: the meaning is the legacy one, which reads shape and operands. Where
 * the legacy destination is a source too, VEX names that source (`H`).
 */

const legacy = new Map(sseInstructions.map((instruction) => [instruction.name, instruction]));

/** The VEX twin of the legacy instruction `name`. */
function twin(name: string, ...forms: Form[]): Instruction {
  const meaning = legacy.get(name)?.semantics;
  if (meaning === undefined) throw new Error(`Vivarium internal error: no instruction ${name}`);
  return define(`v${name}`, forms, meaning);
}

const W0 = (gates: Gates): Gates => ({ ...gates, w: 'W0' });
const W1 = (gates: Gates): Gates => ({ ...gates, w: 'W1' });

const integers: Instruction[] = [
  ...integerRows.map(({ name, opcode }) =>
    twin(name, ...vex(`66 ${opcode} /r`, 'Vx Hx Wx', AVX_AVX2)),
  ),
  ...unpackRows.map(({ name, prefix, opcode }) =>
    twin(
      name,
      ...vex(`${prefix} ${opcode} /r`, 'Vx Hx Wx', name.startsWith('unp') ? AVX : AVX_AVX2),
    ),
  ),
  ...shiftRows.map(({ name, opcode, immediate }) =>
    twin(
      name,
      ...vex(`66 ${opcode}`, 'Vx Hx Wdq', AVX_AVX2),
      ...vex(`66 ${immediate}`, 'Hx Ux Ib', AVX_AVX2),
    ),
  ),
  twin('psrldq', ...vex('66 0F 73 /3 ib', 'Hx Ux Ib', AVX_AVX2)),
  twin('pslldq', ...vex('66 0F 73 /7 ib', 'Hx Ux Ib', AVX_AVX2)),
  ...widenRows.map(({ name, opcode, from, to }) => {
    const size = (ratio: number): string => ({ 1: 'dq', 2: 'q', 4: 'd', 8: 'w' })[ratio] as string;
    const ratio = to / from;
    return twin(
      name,
      vexForm(128, `66 ${opcode} /r`, `Vdq W${size(ratio)}`, 'avx', undefined),
      vexForm(256, `66 ${opcode} /r`, `Vqq W${size(ratio / 2)}`, 'avx2', undefined),
    );
  }),
];

const shuffles: Instruction[] = [
  twin('pshufd', ...vex('66 0F 70 /r ib', 'Vx Wx Ib', AVX_AVX2)),
  twin('pshuflw', ...vex('F2 0F 70 /r ib', 'Vx Wx Ib', AVX_AVX2)),
  twin('pshufhw', ...vex('F3 0F 70 /r ib', 'Vx Wx Ib', AVX_AVX2)),
  twin('shufps', ...vex('NP 0F C6 /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('shufpd', ...vex('66 0F C6 /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('pshufb', ...vex('66 0F 38 00 /r', 'Vx Hx Wx', AVX_AVX2)),
  twin('palignr', ...vex('66 0F 3A 0F /r ib', 'Vx Hx Wx Ib', AVX_AVX2)),
];

const bitwise = (['and', 'andn', 'or', 'xor'] as const).flatMap((name, i) => {
  const opcode = `0F ${(0x54 + i).toString(16)} /r`;
  return [
    twin(`${name}ps`, ...vex(`NP ${opcode}`, 'Vx Hx Wx', AVX)),
    twin(`${name}pd`, ...vex(`66 ${opcode}`, 'Vx Hx Wx', AVX)),
  ];
});

const blends: Instruction[] = [
  twin('blendps', ...vex('66 0F 3A 0C /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('blendpd', ...vex('66 0F 3A 0D /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('pblendw', ...vex('66 0F 3A 0E /r ib', 'Vx Hx Wx Ib', AVX_AVX2)),
  twin('ptest', ...vex('66 0F 38 17 /r', 'Vx Wx', AVX)),
];

const elements: Instruction[] = [
  twin(
    'pinsrb',
    ...vex('66 0F 3A 20 /r ib', 'Vx Hx Rd Ib', AVX_128),
    ...vex('66 0F 3A 20 /r ib', 'Vx Hx Mb Ib', AVX_128),
  ),
  twin(
    'pinsrw',
    ...vex('66 0F C4 /r ib', 'Vx Hx Rd Ib', AVX_128),
    ...vex('66 0F C4 /r ib', 'Vx Hx Mw Ib', AVX_128),
  ),
  twin(
    'pinsrd',
    ...vex('66 0F 3A 22 /r ib', 'Vx Hx Ey Ib', W0(AVX_128)),
    ...vex('66 0F 3A 22 /r ib', 'Vx Hx Ey Ib', W1(AVX_128), 'only64'),
  ),
  twin(
    'insertps',
    ...vex('66 0F 3A 21 /r ib', 'Vx Hx Ux Ib', AVX_128),
    ...vex('66 0F 3A 21 /r ib', 'Vx Hx Md Ib', AVX_128),
  ),
  twin(
    'pextrb',
    ...vex('66 0F 3A 14 /r ib', 'Rd Vx Ib', AVX_128),
    ...vex('66 0F 3A 14 /r ib', 'Mb Vx Ib', AVX_128),
  ),
  twin(
    'pextrw',
    ...vex('66 0F 3A 15 /r ib', 'Rd Vx Ib', AVX_128),
    ...vex('66 0F 3A 15 /r ib', 'Mw Vx Ib', AVX_128),
    ...vex('66 0F C5 /r ib', 'Gd Ux Ib', AVX_128),
  ),
  twin(
    'pextrd',
    ...vex('66 0F 3A 16 /r ib', 'Ey Vx Ib', W0(AVX_128)),
    ...vex('66 0F 3A 16 /r ib', 'Ey Vx Ib', W1(AVX_128), 'only64'),
  ),
  twin('extractps', ...vex('66 0F 3A 17 /r ib', 'Ed Vx Ib', AVX_128)),
];

const control: Instruction[] = [
  twin('ldmxcsr', ...vex('NP 0F AE /2', 'Md', AVX_128)),
  twin('stmxcsr', ...vex('NP 0F AE /3', 'Md', AVX_128)),
];

const helped: Instruction[] = [
  twin('mpsadbw', ...vex('66 0F 3A 42 /r ib', 'Vx Hx Wx Ib', AVX_AVX2)),
  twin('phminposuw', ...vex('66 0F 38 41 /r', 'Vx Wx', AVX_128)),
  twin('pcmpestrm', ...vex('66 0F 3A 60 /r ib', 'Vx Wx Ib', AVX_128)),
  twin('pcmpestri', ...vex('66 0F 3A 61 /r ib', 'Vx Wx Ib', AVX_128)),
  twin('pcmpistrm', ...vex('66 0F 3A 62 /r ib', 'Vx Wx Ib', AVX_128)),
  twin('pcmpistri', ...vex('66 0F 3A 63 /r ib', 'Vx Wx Ib', AVX_128)),
  ...(['aesenc', 'aesenclast', 'aesdec', 'aesdeclast'] as const).map((name, i) =>
    twin(
      name,
      ...vex(`66 0F 38 D${'CDEF'[i]} /r`, 'Vx Hx Wx', AVX_128, 'cpuid:aes'),
      ...vex(`66 0F 38 D${'CDEF'[i]} /r`, 'Vx Hx Wx', { wide: 'vaes' }),
    ),
  ),
  twin('aesimc', ...vex('66 0F 38 DB /r', 'Vx Wx', AVX_128, 'cpuid:aes')),
  twin('aeskeygenassist', ...vex('66 0F 3A DF /r ib', 'Vx Wx Ib', AVX_128, 'cpuid:aes')),
  twin(
    'pclmulqdq',
    ...vex('66 0F 3A 44 /r ib', 'Vx Hx Wx Ib', AVX_128, 'cpuid:pclmulqdq'),
    ...vex('66 0F 3A 44 /r ib', 'Vx Hx Wx Ib', { wide: 'vpclmulqdq' }),
  ),
];

const ARITHMETIC = [
  ['add', '58'],
  ['mul', '59'],
  ['sub', '5C'],
  ['min', '5D'],
  ['div', '5E'],
  ['max', '5F'],
] as const;

const floats: Instruction[] = [
  ...ARITHMETIC.flatMap(([name, opcode]) => [
    twin(`${name}ps`, ...vex(`NP 0F ${opcode} /r`, 'Vx Hx Wx', AVX)),
    twin(`${name}pd`, ...vex(`66 0F ${opcode} /r`, 'Vx Hx Wx', AVX)),
    twin(`${name}ss`, ...vexScalar(`F3 0F ${opcode} /r`, 'Vss Hss Wss')),
    twin(`${name}sd`, ...vexScalar(`F2 0F ${opcode} /r`, 'Vsd Hsd Wsd')),
  ]),
  twin('sqrtps', ...vex('NP 0F 51 /r', 'Vx Wx', AVX)),
  twin('sqrtpd', ...vex('66 0F 51 /r', 'Vx Wx', AVX)),
  twin('sqrtss', ...vexScalar('F3 0F 51 /r', 'Vss Hss Wss')),
  twin('sqrtsd', ...vexScalar('F2 0F 51 /r', 'Vsd Hsd Wsd')),
  twin('rsqrtps', ...vex('NP 0F 52 /r', 'Vx Wx', AVX)),
  twin('rsqrtss', ...vexScalar('F3 0F 52 /r', 'Vss Hss Wss')),
  twin('rcpps', ...vex('NP 0F 53 /r', 'Vx Wx', AVX)),
  twin('rcpss', ...vexScalar('F3 0F 53 /r', 'Vss Hss Wss')),
  twin('haddps', ...vex('F2 0F 7C /r', 'Vx Hx Wx', AVX)),
  twin('haddpd', ...vex('66 0F 7C /r', 'Vx Hx Wx', AVX)),
  twin('hsubps', ...vex('F2 0F 7D /r', 'Vx Hx Wx', AVX)),
  twin('hsubpd', ...vex('66 0F 7D /r', 'Vx Hx Wx', AVX)),
  twin('addsubps', ...vex('F2 0F D0 /r', 'Vx Hx Wx', AVX)),
  twin('addsubpd', ...vex('66 0F D0 /r', 'Vx Hx Wx', AVX)),
  twin('roundps', ...vex('66 0F 3A 08 /r ib', 'Vx Wx Ib', AVX)),
  twin('roundpd', ...vex('66 0F 3A 09 /r ib', 'Vx Wx Ib', AVX)),
  twin('roundss', ...vexScalar('66 0F 3A 0A /r ib', 'Vss Hss Wss Ib')),
  twin('roundsd', ...vexScalar('66 0F 3A 0B /r ib', 'Vsd Hsd Wsd Ib')),
  twin('dpps', ...vex('66 0F 3A 40 /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('dppd', ...vex('66 0F 3A 41 /r ib', 'Vx Hx Wx Ib', AVX_128)),
  twin('cmpps', ...vex('NP 0F C2 /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('cmppd', ...vex('66 0F C2 /r ib', 'Vx Hx Wx Ib', AVX)),
  twin('cmpss', ...vexScalar('F3 0F C2 /r ib', 'Vss Hss Wss Ib')),
  twin('cmpsd', ...vexScalar('F2 0F C2 /r ib', 'Vsd Hsd Wsd Ib')),
  twin('ucomiss', ...vexScalar('NP 0F 2E /r', 'Vss Wss')),
  twin('ucomisd', ...vexScalar('66 0F 2E /r', 'Vsd Wsd')),
  twin('comiss', ...vexScalar('NP 0F 2F /r', 'Vss Wss')),
  twin('comisd', ...vexScalar('66 0F 2F /r', 'Vsd Wsd')),
];

/** A packed conversion between widths: the narrow side of the 256-bit form has 128 bits. */
const widening = (opcode: string): Form[] => [
  vexForm(128, opcode, 'Vdq Wq', 'avx', undefined),
  vexForm(256, opcode, 'Vqq Wdq', 'avx', undefined),
];

const conversions: Instruction[] = [
  twin('cvtsi2ss', ...vexScalar('F3 0F 2A /r', 'Vss Hss Ey')),
  twin('cvtsi2sd', ...vexScalar('F2 0F 2A /r', 'Vsd Hsd Ey')),
  twin('cvttss2si', ...vexScalar('F3 0F 2C /r', 'Gy Wss')),
  twin('cvttsd2si', ...vexScalar('F2 0F 2C /r', 'Gy Wsd')),
  twin('cvtss2si', ...vexScalar('F3 0F 2D /r', 'Gy Wss')),
  twin('cvtsd2si', ...vexScalar('F2 0F 2D /r', 'Gy Wsd')),
  twin('cvtss2sd', ...vexScalar('F3 0F 5A /r', 'Vsd Hsd Wss')),
  twin('cvtsd2ss', ...vexScalar('F2 0F 5A /r', 'Vss Hss Wsd')),
  twin('cvtdq2ps', ...vex('NP 0F 5B /r', 'Vx Wx', AVX)),
  twin('cvtps2dq', ...vex('66 0F 5B /r', 'Vx Wx', AVX)),
  twin('cvttps2dq', ...vex('F3 0F 5B /r', 'Vx Wx', AVX)),
  twin('cvtdq2pd', ...widening('F3 0F E6 /r')),
  twin('cvtps2pd', ...widening('NP 0F 5A /r')),
  twin('cvtpd2dq', ...vex('F2 0F E6 /r', 'Vdq Wx', AVX)),
  twin('cvttpd2dq', ...vex('66 0F E6 /r', 'Vdq Wx', AVX)),
  twin('cvtpd2ps', ...vex('66 0F 5A /r', 'Vdq Wx', AVX)),
];

const moves: Instruction[] = [
  ...(
    [
      ['movups', 'NP', '10', '11'],
      ['movupd', '66', '10', '11'],
      ['movdqu', 'F3', '6F', '7F'],
    ] as const
  ).map(([name, prefix, load, store]) =>
    twin(
      name,
      ...vex(`${prefix} 0F ${load} /r`, 'Vx Wx', AVX),
      ...vex(`${prefix} 0F ${store} /r`, 'Wx Vx', AVX),
    ),
  ),
  ...(
    [
      ['movaps', 'NP', '28', '29'],
      ['movapd', '66', '28', '29'],
      ['movdqa', '66', '6F', '7F'],
    ] as const
  ).map(([name, prefix, load, store]) =>
    twin(
      name,
      ...vex(`${prefix} 0F ${load} /r`, 'Vx Wx', AVX, 'aligned'),
      ...vex(`${prefix} 0F ${store} /r`, 'Wx Vx', AVX, 'aligned'),
    ),
  ),
  twin('lddqu', ...vex('F2 0F F0 /r', 'Vx Mx', AVX)),
  twin('movntps', ...vex('NP 0F 2B /r', 'Mx Vx', AVX, 'aligned')),
  twin('movntpd', ...vex('66 0F 2B /r', 'Mx Vx', AVX, 'aligned')),
  twin('movntdq', ...vex('66 0F E7 /r', 'Mx Vx', AVX, 'aligned')),
  twin('movntdqa', ...vex('66 0F 38 2A /r', 'Vx Mx', AVX_AVX2, 'aligned')),
  twin(
    'movss',
    ...vexScalar('F3 0F 10 /r', 'Vss Hss Uss'),
    ...vexScalar('F3 0F 10 /r', 'Vss Mss'),
    ...vexScalar('F3 0F 11 /r', 'Uss Hss Vss'),
    ...vexScalar('F3 0F 11 /r', 'Mss Vss'),
  ),
  twin(
    'movsd',
    ...vexScalar('F2 0F 10 /r', 'Vsd Hsd Usd'),
    ...vexScalar('F2 0F 10 /r', 'Vsd Msd'),
    ...vexScalar('F2 0F 11 /r', 'Usd Hsd Vsd'),
    ...vexScalar('F2 0F 11 /r', 'Msd Vsd'),
  ),
  ...(
    [
      ['movlps', 'NP', '12', '13'],
      ['movlpd', '66', '12', '13'],
      ['movhps', 'NP', '16', '17'],
      ['movhpd', '66', '16', '17'],
    ] as const
  ).map(([name, prefix, load, store]) =>
    twin(
      name,
      ...vex(`${prefix} 0F ${load} /r`, 'Vq Hq Mq', AVX_128),
      ...vex(`${prefix} 0F ${store} /r`, 'Mq Vq', AVX_128),
    ),
  ),
  twin('movhlps', ...vex('NP 0F 12 /r', 'Vq Hq Uq', AVX_128)),
  twin('movlhps', ...vex('NP 0F 16 /r', 'Vq Hq Uq', AVX_128)),
  twin('movsldup', ...vex('F3 0F 12 /r', 'Vx Wx', AVX)),
  twin('movshdup', ...vex('F3 0F 16 /r', 'Vx Wx', AVX)),
  twin(
    'movddup',
    vexForm(128, 'F2 0F 12 /r', 'Vdq Wq', 'avx', undefined),
    vexForm(256, 'F2 0F 12 /r', 'Vqq Wqq', 'avx', undefined),
  ),
  twin('movd', ...vex('66 0F 6E /r', 'Vx Ey', AVX_128), ...vex('66 0F 7E /r', 'Ey Vx', AVX_128)),
  twin('movq', ...vex('F3 0F 7E /r', 'Vq Wq', AVX_128), ...vex('66 0F D6 /r', 'Wq Vq', AVX_128)),
  twin('movmskps', ...vex('NP 0F 50 /r', 'Gd Ux', AVX)),
  twin('movmskpd', ...vex('66 0F 50 /r', 'Gd Ux', AVX)),
  twin('pmovmskb', ...vex('66 0F D7 /r', 'Gd Ux', AVX_AVX2)),
  twin('maskmovdqu', ...vex('66 0F F7 /r', 'Vx Ux', AVX_128)),
];

export const avxLegacyInstructions: readonly Instruction[] = [
  ...integers,
  ...shuffles,
  ...bitwise,
  ...blends,
  ...elements,
  ...control,
  ...helped,
  ...floats,
  ...conversions,
  ...moves,
];
