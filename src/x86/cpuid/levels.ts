import { VivariumError } from '../../util/mod.ts';
import { canonicalFeature } from './features.ts';

/**
 * Processor models by x86-64 micro-architecture level (System V psABI, 3.1.1), on top of what every
 * 64-bit operating system expects. Only what is implemented may be named here.
 */
const SYSTEM = `fpu de pse tsc msr pae mce cx8 sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2
  hypervisor x2apic tsc_deadline_timer tsc_adjust arat syscall nx pdpe1gb rdtscp lm invariant_tsc
  topoext fsgsbase smep smap umip erms fsrm xsave xsaveopt xsavec xgetbv1 xsaves
  clflushopt clwb pcid invpcid rdpid 3dnowprefetch wbnoinvd
  lfence_rdtsc null_seg_clr_base autoibrs ssb_no btc_no srso_no`;

const V2 = 'cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2';
const V3 = 'avx avx2 bmi1 bmi2 f16c fma abm movbe';
const BEYOND = 'aes pclmulqdq sha_ni adx vaes vpclmulqdq rdrand rdseed pku';
/** Implemented, and no part of any level: it changes how kernels lay out their memory. */
const ON_DEMAND = ['la57'];

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** Features of each level, cumulative; `max` is everything that is implemented. */
export const LEVELS: Readonly<Record<'v1' | 'v2' | 'v3' | 'max', readonly string[]>> = {
  v1: words(SYSTEM),
  v2: words(`${SYSTEM} ${V2}`),
  v3: words(`${SYSTEM} ${V2} ${V3}`),
  max: words(`${SYSTEM} ${V2} ${V3} ${BEYOND}`),
};

export const DEFAULT_CPU = 'v2';

/** Not to be taken away: what follows from their absence is not modelled. */
const ESSENTIAL = ['fpu', 'msr', 'pae', 'lm'];

/** What a feature cannot be without. */
const REQUIRES: Readonly<Record<string, readonly string[]>> = {
  sse: ['fxsr'],
  sse2: ['sse', 'mmx'],
  pni: ['sse2'],
  cx16: ['cx8'],
  aes: ['sse2'],
  pclmulqdq: ['sse2'],
  sha_ni: ['sse2'],
  xsave: ['fxsr'],
  avx: ['xsave', 'sse4_2'],
  avx2: ['avx'],
  fma: ['avx'],
  f16c: ['avx'],
  vaes: ['avx', 'aes'],
  vpclmulqdq: ['avx', 'pclmulqdq'],
  pku: ['xsave'],
  xsaveopt: ['xsave'],
  xsavec: ['xsave'],
  xgetbv1: ['xsave'],
  xsaves: ['xsave', 'xsavec'],
  sse4_2: ['sse4_1'],
  sse4_1: ['ssse3'],
  ssse3: ['pni'],
  tsc_deadline_timer: ['tsc'],
  tsc_adjust: ['tsc'],
  invariant_tsc: ['tsc'],
  rdtscp: ['tsc'],
  mca: ['mce'],
  pse36: ['pse'],
};

/**
 * Parses the value of `--cpu`: a level, then features to add or remove, e.g. `v2,+aes,-smap`.
 * Taking a feature away also takes what needs it. Throws VivariumError `bad-cpu` with one sentence.
 */
export function parseCpu(text: string = DEFAULT_CPU): ReadonlySet<string> {
  const [level = '', ...changes] = text.split(',');
  const base = Object.hasOwn(LEVELS, level) ? LEVELS[level as keyof typeof LEVELS] : undefined;
  if (base === undefined) {
    const known = Object.keys(LEVELS).join(', ');
    throw new VivariumError('bad-cpu', `unknown processor "${level}"; known ones are ${known}`);
  }
  const features = new Set(base);
  for (const change of changes) applyChange(features, change);
  dropUnsupported(features);
  return features;
}

function applyChange(features: Set<string>, change: string): void {
  const sign = change[0];
  const name = canonicalFeature(change.slice(1));
  if ((sign !== '+' && sign !== '-') || name === undefined) {
    throw new VivariumError(
      'bad-cpu',
      `unknown processor feature "${change}"; write +NAME or -NAME with a name from /proc/cpuinfo`,
    );
  }
  if (sign === '-') {
    if (ESSENTIAL.includes(name)) throw essential(name);
    features.delete(name);
  } else if (!LEVELS.max.includes(name) && !ON_DEMAND.includes(name)) throw notYet(name);
  else addWithNeeds(features, name);
}

function notYet(name: string): VivariumError {
  return new VivariumError('bad-cpu', `the processor feature "${name}" is not there yet`);
}

function essential(name: string): VivariumError {
  return new VivariumError(
    'bad-cpu',
    `the processor feature "${name}" cannot be taken away: no system runs without it here`,
  );
}

function addWithNeeds(features: Set<string>, name: string): void {
  features.add(name);
  for (const need of REQUIRES[name] ?? []) addWithNeeds(features, need);
}

function dropUnsupported(features: Set<string>): void {
  for (;;) {
    const orphan = [...features].find((name) =>
      (REQUIRES[name] ?? []).some((need) => !features.has(need)),
    );
    if (orphan === undefined) return;
    features.delete(orphan);
  }
}
