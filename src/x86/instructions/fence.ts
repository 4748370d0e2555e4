import { define, form, type Instruction } from '../form.ts';

/**
 * LFENCE, MFENCE, SFENCE: a vCPU executes in program order, so its own accesses need no ordering.
 * SDM Vol. 2A "LFENCE", 2B "MFENCE", "SFENCE".
 */
export const lfence = define('lfence', [form('NP 0F AE /5 mod=3')], () => {});
export const mfence = define('mfence', [form('NP 0F AE /6 mod=3')], () => {});
export const sfence = define('sfence', [form('NP 0F AE /7 mod=3')], () => {});

/**
 * CLFLUSH, CLFLUSHOPT, CLWB: there is no cache to flush, but the line must be readable.
 * SDM Vol. 2A "CLFLUSH".
 */
export const clflush = define(
  'clflush',
  [form('NP 0F AE /7 mod!=3', 'Mb', 'cpuid:clflush')],
  (_b, [line]) => void line.read(),
);
export const clflushopt = define(
  'clflushopt',
  [form('66 0F AE /7 mod!=3', 'Mb', 'cpuid:clflushopt')],
  (_b, [line]) => void line.read(),
);
export const clwb = define(
  'clwb',
  [form('66 0F AE /6 mod!=3', 'Mb', 'cpuid:clwb')],
  (_b, [line]) => void line.read(),
);

export const fenceInstructions: readonly Instruction[] = [
  lfence,
  mfence,
  sfence,
  clflush,
  clflushopt,
  clwb,
];
