import type { Template } from './templates.ts';

/** Arithmetic flags as EFLAGS bits. */
export const FLAG = { C: 1, P: 4, A: 16, Z: 64, S: 128, O: 2048 } as const;
export const ALL_FLAGS = FLAG.C | FLAG.P | FLAG.A | FLAG.Z | FLAG.S | FLAG.O;

/** What is known of an instruction about to run. */
export interface Circumstances {
  /** operand width in bits */
  readonly width: number;
  /** shift or rotate count, unmasked; undefined when it is only known at run time */
  readonly count: number | undefined;
}

/**
 * Forms that a program cannot run on its own behalf, or whose result is not the processor's but the
 * system's. Each comes with the reason, which the coverage report prints.
 */
const SKIPPED: readonly (readonly [RegExp, string])[] = [
  [/^(cpuid|xgetbv|rdpid)$/, 'describes this very processor'],
  [/^(rdtscp?|rdpmc|rdrand|rdseed)$/, 'gives another value each time'],
  [/^(syscall|sysenter|sysexit|sysret|iret.?)$/, 'enters the host kernel'],
  [
    /^(hlt|vmcall|vmmcall|vmrun|vmload|vmsave|invlpga|stgi|clgi|skinit|monitor|mwait)/,
    'may reach a hypervisor of the host',
  ],
  [/^(sgdt|sidt|sldt|str|smsw)$/, 'shows tables of the host kernel'],
  [/^(lar|lsl|verr|verw)$/, 'depends on descriptors of the host kernel'],
  [/^(lds|les|lfs|lgs|lss)$/, 'loads descriptors of the host kernel'],
  [/^(ljmp|lcall|lret)$/, 'loads descriptors of the host kernel'],
  [/^xsetbv$/, 'belongs to the host kernel'],
  [/^int1$/, 'a hypervisor may show its #DB as a fault'],
  [/^swapgs$/, 'belongs to the host kernel'],
  [/^(wbinvd|invd|wbnoinvd)$/, 'the hypervisor of the host may not raise #GP'],
  [/^(ud0)$/, 'is decoded with or without ModRM by each vendor'],
];

/** Why `template` is not run natively in code of `bits` on a host with `features`, or undefined when it is. */
export function skipReason(
  template: Template,
  features: ReadonlySet<string>,
  bits: 32 | 64 = 64,
): string | undefined {
  const { instruction, form, letters } = template;
  for (const [names, reason] of SKIPPED) if (names.test(instruction.name)) return reason;
  if (bits === 64 && form.attributes.includes('no64')) return 'does not exist in 64-bit mode';
  if (bits === 32 && (form.attributes.includes('only64') || template.column.rexW)) {
    return 'exists in 64-bit mode alone';
  }
  const pushesSegment =
    /^(push|pop)$/.test(instruction.name) && letters.length === 0 && !template.column.plusRegister;
  if (pushesSegment || letters.some(({ kind }) => kind === 'S')) {
    return 'loads or stores segment selectors of the host';
  }
  for (const attribute of form.attributes) {
    const feature = /^cpuid:(.*)$/.exec(attribute)?.[1];
    if (feature === undefined || feature === '') continue;
    if (!features.has(HOST_NAMES[feature] ?? feature)) return `the host has no ${feature}`;
  }
  return undefined;
}

/** Features whose name here differs from the one in Linux's cpuinfo. */
const HOST_NAMES: Readonly<Record<string, string>> = {
  sse3: 'pni',
  pclmul: 'pclmulqdq',
  lzcnt: 'abm',
  lahf: 'lahf_lm',
  sha: 'sha_ni',
  cmpxchg16b: 'cx16',
  pku: 'ospke',
};

const SHIFTS = /^(shl|sal|shr|sar)$/;
const ROTATES = /^(rol|ror|rcl|rcr)$/;
const DOUBLE_SHIFTS = /^(shld|shrd)$/;

/** Flags with no defined value after `name`. SDM Vol. 1, appendix A, and each instruction's page. */
export function undefinedFlags(name: string, about: Circumstances): number {
  const mask = about.width === 64 ? 63 : 31;
  const count = about.count === undefined ? undefined : about.count & mask;
  if (SHIFTS.test(name)) {
    if (count === 0) return 0;
    const beyond = name !== 'sar' && (count === undefined || count >= about.width);
    return FLAG.A | (count === 1 ? 0 : FLAG.O) | (beyond ? FLAG.C : 0);
  }
  if (ROTATES.test(name)) return count === 0 || count === 1 ? 0 : FLAG.O;
  if (DOUBLE_SHIFTS.test(name)) {
    if (count === 0) return 0;
    return FLAG.A | (count === 1 ? 0 : FLAG.O);
  }
  if (/^(and|or|xor|test)$/.test(name)) return FLAG.A;
  if (/^(mul|imul)$/.test(name)) return FLAG.S | FLAG.Z | FLAG.A | FLAG.P;
  if (/^(div|idiv)$/.test(name)) return ALL_FLAGS;
  if (/^(bt|bts|btr|btc)$/.test(name)) return FLAG.O | FLAG.S | FLAG.A | FLAG.P;
  if (/^(bsf|bsr)$/.test(name)) return ALL_FLAGS & ~FLAG.Z;
  if (/^(lzcnt|tzcnt)$/.test(name)) return FLAG.O | FLAG.S | FLAG.A | FLAG.P;
  if (/^(andn|blsi|blsr|blsmsk|bzhi)$/.test(name)) return FLAG.A | FLAG.P;
  if (/^bextr$/.test(name)) return FLAG.A | FLAG.S | FLAG.P;
  if (/^(aam|aad)$/.test(name)) return FLAG.O | FLAG.A | FLAG.C;
  if (/^(daa|das)$/.test(name)) return FLAG.O;
  if (/^(aaa|aas)$/.test(name)) return FLAG.O | FLAG.S | FLAG.Z | FLAG.P;
  return 0;
}

/** Flags that surely have a defined value after `name`, whatever they had before. */
export function definedFlags(name: string): number {
  if (/^(add|adc|sub|sbb|cmp|neg|xadd|cmpxchg|popf|v?ptest|v?u?comis[sd]|popcnt)$/.test(name)) {
    return ALL_FLAGS;
  }
  if (/^(and|or|xor|test)$/.test(name)) return ALL_FLAGS & ~FLAG.A;
  return 0;
}

/** Whether `name` looks at flags, so that undefined ones must not reach it. */
export function readsFlags(name: string): boolean {
  return /^(j(?!mp|e?cxz|rcxz)|set|cmov|fcmov|adc|sbb|adcx|adox|rcl|rcr|cmc|lahf|pushf|loop.|salc|into|da[as]|aa[as])/.test(
    name,
  );
}

/** Bytes of memory that instructions without a sized operand reach. */
const REACH: Readonly<Record<string, number>> = {
  xsave: 832,
  xsavec: 832,
  xsaveopt: 832,
  xrstor: 832,
  fxsave: 512,
  fxrstor: 512,
  fnsave: 108,
  frstor: 108,
  fnstenv: 28,
  fldenv: 28,
  fld: 10,
  fstp: 10,
  fbld: 10,
  fbstp: 10,
};

export function reachOf(name: string): number | undefined {
  return REACH[name];
}

/** Byte ranges `[from, to)` of what `name` stores that processors fill differently. */
export function undefinedBytes(name: string, operandSize: number): readonly [number, number][] {
  // FIP, FDP, FOP, their selectors; MXCSR_MASK
  if (/^(fxsave|xsave|xsavec|xsaveopt)$/.test(name)) {
    return [
      [6, 24],
      [28, 32],
    ];
  }
  if (name === 'fnsave' || name === 'fnstenv') return operandSize === 2 ? [[6, 14]] : [[12, 28]];
  return [];
}

/** General registers that `name` writes without naming them in an operand. */
export function impliedWrites(name: string): readonly number[] {
  if (/^(i?mul|i?div|cwd|cdq|cqo|mulx|cmpxchg(8b|16b)|v?pcmp[ei]str)/.test(name)) return [0, 1, 2];
  if (/^(movs|cmps)/.test(name)) return [1, 6, 7];
  if (/^(stos|scas|ins)/.test(name)) return [1, 7];
  if (/^(lods|outs)/.test(name)) return [0, 1, 6];
  if (name === 'popa') return [0, 1, 2, 3, 4, 5, 6, 7];
  if (/^(push|pop|call|ret|enter|leave)/.test(name)) return [4, 5];
  if (/^loop/.test(name)) return [1];
  if (/^(cmpxchg|cbw|cwde|cdqe|lahf|xlat|in$|fnstsw|aa|da|salc)/.test(name)) return [0];
  return [];
}
