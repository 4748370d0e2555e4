import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import { SAVE_64BIT_MODE, SAVE_WIDE_POINTERS } from '../fpu/fxsave.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';

/** What the image's layout depends on: REX.W, and how many XMM registers the mode has. */
function saveMode(b: Semantics): Value {
  const wide = b.shape.operandSize === 64 ? SAVE_WIDE_POINTERS : 0;
  return b.i32(wide | (b.shape.mode === 64 ? SAVE_64BIT_MODE : 0));
}

/** The whole meaning lies in the helper `name(address, mode)`. */
function areaHelper(name: string): (b: Semantics, operands: readonly [Operand]) => void {
  return (b, [area]) => b.helper(name, area.address(), saveMode(b));
}

/** FXSAVE, FXSAVE64. SDM Vol. 2A "FXSAVE". */
const fxsave = define(
  'fxsave',
  [form('NP 0F AE /0 mod!=3', 'M', 'fpu', 'cpuid:fxsr')],
  areaHelper('fxsave'),
);

/** FXRSTOR, FXRSTOR64. SDM Vol. 2A "FXRSTOR". */
const fxrstor = define(
  'fxrstor',
  [form('NP 0F AE /1 mod!=3', 'M', 'fpu', 'cpuid:fxsr')],
  areaHelper('fxrstor'),
);

/** XSAVE: standard form. CR4.OSXSAVE and CR0.TS are the helpers' business. SDM Vol. 2D "XSAVE". */
const xsave = define(
  'xsave',
  [form('NP 0F AE /4 mod!=3', 'M', 'cpuid:xsave')],
  areaHelper('xsave'),
);

/** XSAVEOPT: leaves out what is in its initial state. */
const xsaveopt = define(
  'xsaveopt',
  [form('NP 0F AE /6 mod!=3', 'M', 'cpuid:xsaveopt')],
  areaHelper('xsaveopt'),
);

/** XRSTOR: either form. */
const xrstor = define(
  'xrstor',
  [form('NP 0F AE /5 mod!=3', 'M', 'cpuid:xsave')],
  areaHelper('xrstor'),
);

/** XSAVEC: compacted form. */
const xsavec = define(
  'xsavec',
  [form('NP 0F C7 /4 mod!=3', 'M', 'cpuid:xsavec')],
  areaHelper('xsavec'),
);

/** XSAVES: compacted form with supervisor state, of which this processor has none. */
const xsaves = define(
  'xsaves',
  [form('NP 0F C7 /5 mod!=3', 'M', 'cpl0', 'cpuid:xsaves')],
  areaHelper('xsavec'),
);

/** XRSTORS: compacted form alone. */
const xrstors = define(
  'xrstors',
  [form('NP 0F C7 /3 mod!=3', 'M', 'cpl0', 'cpuid:xsaves')],
  areaHelper('xrstors'),
);

/** XGETBV. SDM Vol. 2D "XGETBV". */
const xgetbv = define('xgetbv', [form('NP 0F 01 D0', '', 'cpuid:xsave')], (b) => {
  b.helper('xgetbv', saveMode(b));
});

/** XSETBV. SDM Vol. 2D "XSETBV". */
const xsetbv = define(
  'xsetbv',
  [form('NP 0F 01 D1', '', 'cpl0', 'serializes', 'cpuid:xsave')],
  (b) => {
    b.helper('xsetbv');
  },
);

export const xsaveInstructions: Instruction[] = [
  fxsave,
  fxrstor,
  xsave,
  xsaveopt,
  xrstor,
  xsavec,
  xsaves,
  xrstors,
  xgetbv,
  xsetbv,
];
