/**
 * Every feature a model can have: its name as in Linux' /proc/cpuinfo and the CPUID bit that announces it.
 * SDM Vol. 2A "CPUID"; APM Vol. 3, appendix E.
 *
 * OSXSAVE, OSPKE and APIC are not here: those bits follow the state of the vCPU.
 */
export type Register = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface FeatureBit {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
  readonly bit: number;
}

function group(
  leaf: number,
  subleaf: number,
  register: Register,
  bits: Readonly<Record<string, number>>,
): [string, FeatureBit][] {
  return Object.entries(bits).map(([name, bit]) => [name, { leaf, subleaf, register, bit }]);
}

export const FEATURE_BITS: ReadonlyMap<string, FeatureBit> = new Map([
  ...group(1, 0, 'edx', {
    fpu: 0,
    vme: 1,
    de: 2,
    pse: 3,
    tsc: 4,
    msr: 5,
    pae: 6,
    mce: 7,
    cx8: 8,
    sep: 11,
    mtrr: 12,
    pge: 13,
    mca: 14,
    cmov: 15,
    pat: 16,
    pse36: 17,
    clflush: 19,
    mmx: 23,
    fxsr: 24,
    sse: 25,
    sse2: 26,
  }),
  ...group(1, 0, 'ecx', {
    pni: 0,
    pclmulqdq: 1,
    monitor: 3,
    ssse3: 9,
    fma: 12,
    cx16: 13,
    pcid: 17,
    sse4_1: 19,
    sse4_2: 20,
    x2apic: 21,
    movbe: 22,
    popcnt: 23,
    tsc_deadline_timer: 24,
    aes: 25,
    xsave: 26,
    avx: 28,
    f16c: 29,
    rdrand: 30,
    hypervisor: 31,
  }),
  ...group(6, 0, 'eax', { arat: 2 }),
  ...group(7, 0, 'ebx', {
    fsgsbase: 0,
    tsc_adjust: 1,
    bmi1: 3,
    avx2: 5,
    smep: 7,
    bmi2: 8,
    erms: 9,
    invpcid: 10,
    rdseed: 18,
    adx: 19,
    smap: 20,
    clflushopt: 23,
    clwb: 24,
    sha_ni: 29,
  }),
  ...group(7, 0, 'ecx', { umip: 2, pku: 3, vaes: 9, vpclmulqdq: 10, la57: 16, rdpid: 22 }),
  ...group(7, 0, 'edx', { fsrm: 4 }),
  ...group(0xd, 1, 'eax', { xsaveopt: 0, xsavec: 1, xgetbv1: 2, xsaves: 3 }),
  ...group(0x8000_0001, 0, 'ecx', {
    lahf_lm: 0,
    svm: 2,
    cr8_legacy: 4,
    abm: 5,
    sse4a: 6,
    misalignsse: 7,
    '3dnowprefetch': 8,
    topoext: 22,
  }),
  ...group(0x8000_0001, 0, 'edx', {
    syscall: 11,
    nx: 20,
    mmxext: 22,
    fxsr_opt: 25,
    pdpe1gb: 26,
    rdtscp: 27,
    lm: 29,
  }),
  ...group(0x8000_0007, 0, 'edx', { invariant_tsc: 8 }),
  ...group(0x8000_0008, 0, 'ebx', { clzero: 0, wbnoinvd: 9, ssb_no: 26, btc_no: 29 }),
  ...group(0x8000_0021, 0, 'eax', {
    lfence_rdtsc: 2,
    null_seg_clr_base: 6,
    autoibrs: 8,
    srso_no: 29,
  }),
]);

/** Other names in use for the same bits. */
const ALIASES: Readonly<Record<string, string>> = {
  sse3: 'pni',
  'sse4.1': 'sse4_1',
  'sse4.2': 'sse4_2',
  lzcnt: 'abm',
  cmpxchg16b: 'cx16',
  sha: 'sha_ni',
  aesni: 'aes',
  pclmul: 'pclmulqdq',
  constant_tsc: 'invariant_tsc',
  'tsc-deadline': 'tsc_deadline_timer',
};

/** The name in `FEATURE_BITS` that `name` stands for, or undefined for an unknown one. */
export function canonicalFeature(name: string): string | undefined {
  const lower = name.toLowerCase();
  const known = ALIASES[lower] ?? lower;
  return FEATURE_BITS.has(known) ? known : undefined;
}
