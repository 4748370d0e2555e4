/** What CPUID answers, as data built from a set of features. SDM Vol. 2A "CPUID"; APM Vol. 3, appendix E. */
import type { CpuState } from '../cpu-state.ts';
import {
  compactedAreaBytes,
  standardAreaBytes,
  XCR0_AVX,
  XCR0_PKRU,
  xsaveComponents,
} from '../fpu/xsave.ts';
import { STATE } from '../state.ts';
import { CR4, PHYSICAL_ADDRESS_BITS } from '../system/control-bits.ts';
import { canonicalFeature, FEATURE_BITS, type Register } from './features.ts';

/** EAX, EBX, ECX, EDX. */
export type CpuidResult = readonly [eax: number, ebx: number, ecx: number, edx: number];

export interface CpuModelOptions {
  readonly features: ReadonlySet<string>;
  /** frequency of the time-stamp counter in kHz */
  readonly tscKhz: number;
  /** local APIC id of this vCPU */
  readonly apicId: number;
  readonly cpuCount: number;
  /** brand string, up to 47 characters */
  readonly brand?: string;
  /** KVM feature bits (leaf 0x40000001 EAX) */
  readonly kvmFeatures?: number;
  /** IA32_APIC_BASE bit 11 of this vCPU; by default true */
  readonly apicEnabled?: () => boolean;
}

/** Family 1Ah, model 2, stepping 1: base family Fh, extended family Bh. */
export const FAMILY_MODEL_STEPPING = 0x00b0_0f21;

/** KVM paravirtual features. Documentation/virt/kvm/x86/cpuid.rst of the Linux kernel. */
export const KVM_FEATURE = {
  CLOCKSOURCE: 1 << 0,
  NOP_IO_DELAY: 1 << 1,
  CLOCKSOURCE2: 1 << 3,
  CLOCKSOURCE_STABLE: 1 << 24,
} as const;

const DEFAULT_KVM_FEATURES =
  KVM_FEATURE.CLOCKSOURCE |
  KVM_FEATURE.NOP_IO_DELAY |
  KVM_FEATURE.CLOCKSOURCE2 |
  KVM_FEATURE.CLOCKSOURCE_STABLE;

const VENDOR = 'AuthenticAMD';
const DEFAULT_BRAND = 'Vivarium Virtual x86-64 Processor';
const MAX_BASIC = 0x16;
const MAX_HYPERVISOR = 0x4000_0010;
const MAX_EXTENDED = 0x8000_0021;
const APIC_BIT = 1 << 9;
const OSXSAVE_BIT = 1 << 27;
const OSPKE_BIT = 1 << 4;
const CACHE_LINE_BYTES = 64;

/** Bits of leaf 1 EDX that AMD repeats in leaf 80000001h, APIC among them. */
const REPEATED_EDX = 0x0183_f3ff;

/** Cache levels for leaf 8000001Dh: type and level, ways, sets. */
const CACHES: readonly (readonly [typeAndLevel: number, ways: number, sets: number])[] = [
  [0x121, 8, 64], // 32 KiB data
  [0x122, 8, 64], // 32 KiB instruction
  [0x143, 8, 1024], // 512 KiB unified
  [0x163, 16, 16384], // 16 MiB unified
];

function littleEndianWord(text: string, at: number): number {
  let word = 0;
  for (let byte = 3; byte >= 0; byte--) word = (word << 8) | (text.charCodeAt(at + byte) || 0);
  return word >>> 0;
}

/** CPUID of one vCPU. */
export class CpuModel {
  readonly features: ReadonlySet<string>;
  readonly #options: CpuModelOptions;
  readonly #words = new Map<string, number>();

  constructor(options: CpuModelOptions) {
    this.features = options.features;
    this.#options = options;
    for (const name of options.features) {
      const found = FEATURE_BITS.get(name);
      if (found === undefined) throw new Error(`Vivarium internal error: no feature ${name}`);
      const key = `${found.leaf}.${found.subleaf}.${found.register}`;
      this.#words.set(key, (this.#words.get(key) ?? 0) | (1 << found.bit));
    }
  }

  /** True when `feature` (as in Linux' cpuinfo, or an alias) is announced. */
  has(feature: string): boolean {
    const known = canonicalFeature(feature);
    return known !== undefined && this.features.has(known);
  }

  /** XCR0 bits that XSETBV accepts. */
  get supportedXcr0(): number {
    return (
      3 | (this.features.has('avx') ? XCR0_AVX : 0) | (this.features.has('pku') ? XCR0_PKRU : 0)
    );
  }

  /** `state` gives the bits that follow control registers (OSXSAVE, OSPKE, size of the XSAVE area). */
  cpuid(leaf: number, subleaf: number, state: CpuState): CpuidResult {
    const [eax, ebx, ecx, edx] = this.#leaf(state, leaf >>> 0, subleaf >>> 0);
    return [eax >>> 0, ebx >>> 0, ecx >>> 0, edx >>> 0];
  }

  #bits(leaf: number, subleaf: number, register: Register): number {
    return this.#words.get(`${leaf}.${subleaf}.${register}`) ?? 0;
  }

  #leaf(state: CpuState, leaf: number, subleaf: number): CpuidResult {
    if (leaf >= 0x8000_0000) return this.#extended(leaf, subleaf);
    if (leaf >= 0x4000_0000) return this.#hypervisor(leaf);
    return this.#basic(state, leaf, subleaf);
  }

  #basic(state: CpuState, leaf: number, subleaf: number): CpuidResult {
    const { tscKhz, cpuCount, apicId } = this.#options;
    switch (leaf) {
      case 0:
        return this.#vendor(MAX_BASIC);
      case 1:
        return this.#identity(state);
      case 6:
        return [this.#bits(6, 0, 'eax'), 0, 0, 0];
      case 7:
        return this.#structured(state, subleaf);
      case 0xb:
        return topology(subleaf, apicId, cpuCount);
      case 0xd:
        return this.#stateComponents(state, subleaf);
      case 0x15:
        if (!this.features.has('tsc')) return [0, 0, 0, 0];
        // Crystal of 1 MHz × tscKhz / 1000: EBX/EAX is the ratio, ECX the crystal in Hz.
        return [1000, tscKhz, 1_000_000, 0];
      case 0x16: {
        const mhz = Math.round(tscKhz / 1000);
        return [mhz, mhz, 100, 0];
      }
      default:
        return [0, 0, 0, 0];
    }
  }

  #vendor(maximum: number): CpuidResult {
    const word = (at: number): number => littleEndianWord(VENDOR, at);
    return [maximum, word(0), word(8), word(4)];
  }

  #identity(state: CpuState): CpuidResult {
    const { apicId, cpuCount } = this.#options;
    const ebx = (apicId << 24) | (cpuCount << 16) | ((CACHE_LINE_BYTES / 8) << 8);
    let ecx = this.#bits(1, 0, 'ecx');
    let edx = this.#bits(1, 0, 'edx');
    if ((state.get32(STATE.cr4) & CR4.OSXSAVE) !== 0) ecx |= OSXSAVE_BIT;
    edx |= this.#apicBit;
    if (cpuCount > 1) edx |= 1 << 28; // HTT: several logical processors share the package
    return [FAMILY_MODEL_STEPPING, ebx, ecx, edx];
  }

  get #apicBit(): number {
    return (this.#options.apicEnabled?.() ?? true) ? APIC_BIT : 0;
  }

  #structured(state: CpuState, subleaf: number): CpuidResult {
    if (subleaf !== 0) return [0, 0, 0, 0];
    let ecx = this.#bits(7, 0, 'ecx');
    if ((state.get32(STATE.cr4) & CR4.PKE) !== 0) ecx |= OSPKE_BIT;
    return [0, this.#bits(7, 0, 'ebx'), ecx, this.#bits(7, 0, 'edx')];
  }

  /** Leaf Dh: sizes of the XSAVE area. */
  #stateComponents(state: CpuState, subleaf: number): CpuidResult {
    if (!this.features.has('xsave')) return [0, 0, 0, 0];
    const supported = this.supportedXcr0;
    const enabled = state.get32(STATE.xcr0);
    switch (subleaf) {
      case 0:
        return [supported, standardAreaBytes(enabled), standardAreaBytes(supported), 0];
      case 1: {
        const bytes = this.features.has('xsavec') ? compactedAreaBytes(enabled) : 0;
        return [this.#bits(0xd, 1, 'eax'), bytes, 0, 0];
      }
      default: {
        const component = xsaveComponents.find(({ bit }) => bit === subleaf);
        const exists = component !== undefined && ((supported >>> subleaf) & 1) !== 0;
        return exists ? [component.bytes, component.offset, 0, 0] : [0, 0, 0, 0];
      }
    }
  }

  #hypervisor(leaf: number): CpuidResult {
    if (!this.features.has('hypervisor')) return [0, 0, 0, 0];
    switch (leaf) {
      case 0x4000_0000: {
        const signature = 'KVMKVMKVM\0\0\0';
        const word = (at: number): number => littleEndianWord(signature, at);
        return [MAX_HYPERVISOR, word(0), word(4), word(8)];
      }
      case 0x4000_0001:
        return [this.#options.kvmFeatures ?? DEFAULT_KVM_FEATURES, 0, 0, 0];
      case 0x4000_0010:
        return [this.#options.tscKhz, 0, 0, 0];
      default:
        return [0, 0, 0, 0];
    }
  }

  #extended(leaf: number, subleaf: number): CpuidResult {
    const { cpuCount, apicId } = this.#options;
    switch (leaf) {
      case 0x8000_0000:
        return this.#vendor(MAX_EXTENDED);
      case 0x8000_0001: {
        const repeated = this.#bits(1, 0, 'edx') & REPEATED_EDX;
        const edx = this.#bits(leaf, 0, 'edx') | repeated | this.#apicBit;
        const legacy = cpuCount > 1 ? 2 : 0; // CMP_LEGACY: the logical processors are cores
        return [FAMILY_MODEL_STEPPING, 0, this.#bits(leaf, 0, 'ecx') | legacy, edx];
      }
      case 0x8000_0002:
      case 0x8000_0003:
      case 0x8000_0004:
        return this.#brand(leaf - 0x8000_0002);
      case 0x8000_0005:
        return [0, 0, 0x2008_0140, 0x2008_0140];
      case 0x8000_0006:
        return [0, 0, 0x0200_6140, 0x0080_8140];
      case 0x8000_0007:
        return [0, 0, 0, this.#bits(leaf, 0, 'edx')];
      case 0x8000_0008: {
        const linearBits = this.features.has('la57') ? 57 : 48;
        const idBits = Math.ceil(Math.log2(Math.max(cpuCount, 1)));
        const ecx = (idBits << 12) | (cpuCount - 1);
        return [(linearBits << 8) | PHYSICAL_ADDRESS_BITS, this.#bits(leaf, 0, 'ebx'), ecx, 0];
      }
      case 0x8000_001d:
        return this.#cache(subleaf);
      case 0x8000_001e:
        return this.features.has('topoext') ? [apicId, apicId, 0, 0] : [0, 0, 0, 0];
      case 0x8000_0021:
        return [this.#bits(leaf, 0, 'eax'), 0, 0, 0];
      default:
        return [0, 0, 0, 0];
    }
  }

  #brand(part: number): CpuidResult {
    const brand = (this.#options.brand ?? DEFAULT_BRAND).slice(0, 47);
    const word = (index: number): number => littleEndianWord(brand, part * 16 + index * 4);
    return [word(0), word(1), word(2), word(3)];
  }

  #cache(subleaf: number): CpuidResult {
    const cache = this.features.has('topoext') ? CACHES[subleaf] : undefined;
    if (cache === undefined) return [0, 0, 0, 0];
    const [typeAndLevel, ways, sets] = cache;
    const sharing = subleaf === 3 ? this.#options.cpuCount - 1 : 0;
    const eax = typeAndLevel | (sharing << 14);
    return [eax, ((ways - 1) << 22) | (CACHE_LINE_BYTES - 1), sets - 1, 0];
  }
}

/** Leaf Bh: one thread a core, all cores in one package. */
function topology(subleaf: number, apicId: number, cpuCount: number): CpuidResult {
  const coreBits = Math.ceil(Math.log2(Math.max(cpuCount, 1)));
  if (subleaf === 0) return [0, 1, 0x100, apicId];
  if (subleaf === 1) return [coreBits, cpuCount, 0x201, apicId];
  return [0, 0, subleaf & 0xff, apicId];
}
