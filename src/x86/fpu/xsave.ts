/**
 * XSAVE family: extended state by components. SDM Vol. 1, chapter 13.
 *
 * An area is the 512-byte legacy image, a 64-byte header, then one region a component: at the fixed
 * offset that CPUID leaf 0Dh reports (standard form), or packed (compacted form).
 *
 *   header   0  XSTATE_BV   8  XCOMP_BV (bit 63: compacted)   16 .. 63  must be zero
 */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault, NM, UD } from '../fault.ts';
import { STATE } from '../state.ts';
import { requireAligned, SAVE_WIDE_POINTERS, xmmCount } from './fxsave.ts';
import {
  areHalvesInUse,
  clearHalves,
  LOWER,
  loadHalves,
  storeHalves,
  UPPER,
} from './half-registers.ts';
import {
  imageMxcsr,
  LEGACY_X87_BYTES,
  loadX87,
  loadXmm,
  storeMxcsr,
  storeX87,
  storeXmm,
  x87IsInitial,
} from './legacy-area.ts';
import { clearFpuRegisters, initializeFpu } from './registers.ts';
import { MXCSR_INITIAL } from './words.ts';

export const XCR0_X87 = 1 << 0;
export const XCR0_SSE = 1 << 1;
export const XCR0_AVX = 1 << 2;
export const XCR0_PKRU = 1 << 9;

export const XSAVE_HEADER = 512;
export const XSAVE_EXTENDED = 576;
const COMPACTED = 1n << 63n;
const CR0_TS = 1n << 3n;
const CR4_OSXSAVE = 1n << 18n;

/** A component beyond x87 and SSE: its place in the standard form, and how it moves. */
export interface XsaveComponent {
  readonly bit: number;
  readonly name: string;
  /** offset in the standard form */
  readonly offset: number;
  readonly bytes: number;
  readonly inUse: (state: CpuState, mode: number) => boolean;
  readonly store: (state: CpuState, region: Uint8Array, mode: number) => void;
  /** Loads the region, or the initial value when it is undefined. */
  readonly load: (state: CpuState, region: Uint8Array | undefined, mode: number) => void;
}

const avxComponent: XsaveComponent = {
  bit: 2,
  name: 'avx',
  offset: XSAVE_EXTENDED,
  bytes: 256,
  inUse: (state, mode) => areHalvesInUse(state, UPPER, xmmCount(mode)),
  store: (state, region, mode) => storeHalves(state, UPPER, xmmCount(mode), region, 0),
  load: (state, region, mode) => {
    if (region === undefined) clearHalves(state, UPPER, xmmCount(mode));
    else loadHalves(state, UPPER, xmmCount(mode), region, 0);
  },
};

const pkruComponent: XsaveComponent = {
  bit: 9,
  name: 'pkru',
  offset: XSAVE_EXTENDED + 256,
  bytes: 8,
  inUse: (state) => state.get32(STATE.pkru) !== 0,
  store: (state, region) => {
    const view = new DataView(region.buffer, region.byteOffset, 8);
    view.setUint32(0, state.get32(STATE.pkru), true);
    view.setUint32(4, 0, true);
  },
  load: (state, region) => {
    const view = region === undefined ? undefined : new DataView(region.buffer, region.byteOffset);
    state.set32(STATE.pkru, view?.getUint32(0, true) ?? 0);
  },
};

/** Every extended component this processor has, by rising bit. */
export const xsaveComponents: readonly XsaveComponent[] = [avxComponent, pkruComponent];

/** Bytes of an area in the standard form with the components of `mask` (CPUID.0Dh:0.EBX). */
export function standardAreaBytes(mask: number): number {
  let end = XSAVE_EXTENDED;
  for (const component of xsaveComponents) {
    if ((mask & (1 << component.bit)) !== 0)
      end = Math.max(end, component.offset + component.bytes);
  }
  return end;
}

/** Bytes of an area in the compacted form with the components of `mask` (CPUID.0Dh:1.EBX). */
export function compactedAreaBytes(mask: number): number {
  let end = XSAVE_EXTENDED;
  for (const component of xsaveComponents) {
    if ((mask & (1 << component.bit)) !== 0) end += component.bytes;
  }
  return end;
}

function* regions(mask: number, compacted: boolean): Generator<[XsaveComponent, number]> {
  let packed = XSAVE_EXTENDED;
  for (const component of xsaveComponents) {
    if ((mask & (1 << component.bit)) === 0) continue;
    yield [component, compacted ? packed : component.offset];
    packed += component.bytes;
  }
}

/** XINUSE: the components that are not in their initial configuration. SDM Vol. 1, 13.6. */
function componentsInUse(state: CpuState, mode: number): number {
  let mask = x87IsInitial(state) ? 0 : XCR0_X87;
  if (areHalvesInUse(state, LOWER, xmmCount(mode))) mask |= XCR0_SSE;
  for (const component of xsaveComponents) {
    if (component.inUse(state, mode)) mask |= 1 << component.bit;
  }
  return mask;
}

/** #UD without CR4.OSXSAVE, #NM with CR0.TS. */
function requireXsave(state: CpuState): void {
  if ((state.cr4 & CR4_OSXSAVE) === 0n) throw new GuestFault(UD);
  if ((state.cr0 & CR0_TS) !== 0n) throw new GuestFault(NM);
}

function enabled(state: CpuState): number {
  return Number(BigInt.asUintN(32, state.get64(STATE.xcr0)));
}

/** EDX:EAX, of which every component that exists lies in EAX. */
function requested(state: CpuState): number {
  return state.gpr32(0) & enabled(state);
}

function headerOf(area: Uint8Array): DataView {
  return new DataView(area.buffer, area.byteOffset + XSAVE_HEADER, 64);
}

/** Writes the requested components of the standard form: all (XSAVE), or those in use (XSAVEOPT). */
function saveStandard(cpu: Cpu, address: bigint, mode: number, onlyInUse: boolean): void {
  const { state } = cpu;
  requireXsave(state);
  requireAligned(address, 64);
  const wanted = requested(state);
  const inUse = componentsInUse(state, mode);
  const written = onlyInUse ? wanted & inUse : wanted;
  // The area is read, changed and written back: bytes that no component owns keep their values.
  const area = new Uint8Array(standardAreaBytes(wanted));
  cpu.readBytes(address, area);
  const header = headerOf(area);
  const before = header.getBigUint64(0, true);
  storeLegacy(state, area, written, mode);
  if ((wanted & (XCR0_SSE | XCR0_AVX)) !== 0) storeMxcsr(state, area);
  header.setBigUint64(0, (before & ~BigInt(wanted)) | BigInt(wanted & inUse), true);
  for (const [component, offset] of regions(written, false)) {
    component.store(state, area.subarray(offset, offset + component.bytes), mode);
  }
  cpu.writeBytes(address, area);
}

function storeLegacy(state: CpuState, area: Uint8Array, mask: number, mode: number): void {
  if ((mask & XCR0_X87) !== 0) storeX87(state, area, (mode & SAVE_WIDE_POINTERS) !== 0);
  if ((mask & XCR0_SSE) !== 0) storeXmm(state, area, xmmCount(mode));
}

/** XSAVEC and XSAVES: the compacted form, components in their initial state left out. */
function saveCompacted(cpu: Cpu, address: bigint, mode: number): void {
  const { state } = cpu;
  requireXsave(state);
  requireAligned(address, 64);
  const wanted = requested(state);
  let written = wanted & componentsInUse(state, mode);
  if ((wanted & XCR0_SSE) !== 0 && state.get32(STATE.mxcsr) !== MXCSR_INITIAL) written |= XCR0_SSE;
  const area = new Uint8Array(compactedAreaBytes(wanted));
  cpu.readBytes(address, area);
  storeLegacy(state, area, written, mode);
  if ((written & XCR0_SSE) !== 0) storeMxcsr(state, area);
  const header = headerOf(area);
  header.setBigUint64(0, BigInt(written), true);
  header.setBigUint64(8, BigInt(wanted) | COMPACTED, true);
  for (const [component, offset] of regions(wanted, true)) {
    if ((written & (1 << component.bit)) === 0) continue;
    component.store(state, area.subarray(offset, offset + component.bytes), mode);
  }
  cpu.writeBytes(address, area);
}

/** XRSTOR, and XRSTORS, which takes the compacted form alone. SDM Vol. 1, 13.8 and 13.12. */
function restore(cpu: Cpu, address: bigint, mode: number, compactedOnly: boolean): void {
  const { state } = cpu;
  requireXsave(state);
  requireAligned(address, 64);
  const wanted = requested(state);
  const head = new Uint8Array(XSAVE_EXTENDED);
  cpu.readBytes(address, head);
  const header = headerOf(head);
  const present = header.getBigUint64(0, true);
  const layout = header.getBigUint64(8, true);
  const compacted = (layout & COMPACTED) !== 0n;
  checkHeader(state, header, present, layout, compactedOnly);

  const members = compacted ? Number(BigInt.asUintN(32, layout)) : enabled(state);
  const loaded = wanted & Number(BigInt.asUintN(32, present));
  const area = readRegions(cpu, address, [...regions(members, compacted)], loaded);
  const usesMxcsr = compacted ? loaded & XCR0_SSE : wanted & (XCR0_SSE | XCR0_AVX);
  let mxcsr = state.get32(STATE.mxcsr);
  if (usesMxcsr !== 0) {
    const image = imageMxcsr(head);
    if (image === undefined) throw new GuestFault(GP);
    mxcsr = image;
  } else if (compacted && (wanted & XCR0_SSE) !== 0) {
    mxcsr = MXCSR_INITIAL;
  }

  const keys = state.get32(STATE.pkru);
  if ((wanted & XCR0_X87) !== 0) restoreX87(state, head, (loaded & XCR0_X87) !== 0, mode);
  if ((wanted & XCR0_SSE) !== 0) restoreXmm(state, head, (loaded & XCR0_SSE) !== 0, mode);
  state.set32(STATE.mxcsr, mxcsr);
  for (const component of xsaveComponents) {
    if ((wanted & (1 << component.bit)) !== 0) component.load(state, area.get(component), mode);
  }
  // Cached translations carry the rights of their keys.
  if (state.get32(STATE.pkru) !== keys) cpu.flushTlb('all');
}

/** #GP(0) for a header that breaks the rules of the form it claims. */
function checkHeader(
  state: CpuState,
  header: DataView,
  present: bigint,
  layout: bigint,
  compactedOnly: boolean,
): void {
  const supported = BigInt(enabled(state));
  const compacted = (layout & COMPACTED) !== 0n;
  const lastReserved = compacted ? 64 : 24;
  for (let at = 16; at < lastReserved; at += 8) {
    if (header.getBigUint64(at, true) !== 0n) throw new GuestFault(GP);
  }
  if (!compacted) {
    if (compactedOnly || layout !== 0n || (present & ~supported) !== 0n) throw new GuestFault(GP);
    return;
  }
  const members = layout & ~COMPACTED;
  if ((members & ~supported) !== 0n || (present & ~members) !== 0n) throw new GuestFault(GP);
}

/** Reads the regions that are to be loaded. */
function readRegions(
  cpu: Cpu,
  address: bigint,
  places: readonly [XsaveComponent, number][],
  loaded: number,
): Map<XsaveComponent, Uint8Array> {
  const found = new Map<XsaveComponent, Uint8Array>();
  for (const [component, offset] of places) {
    if ((loaded & (1 << component.bit)) === 0) continue;
    const region = new Uint8Array(component.bytes);
    cpu.readBytes(BigInt.asUintN(64, address + BigInt(offset)), region);
    found.set(component, region);
  }
  return found;
}

function restoreX87(state: CpuState, image: Uint8Array, fromImage: boolean, mode: number): void {
  if (fromImage) {
    loadX87(state, image.subarray(0, LEGACY_X87_BYTES), (mode & SAVE_WIDE_POINTERS) !== 0);
    return;
  }
  initializeFpu(state);
  clearFpuRegisters(state);
}

function restoreXmm(state: CpuState, image: Uint8Array, fromImage: boolean, mode: number): void {
  if (fromImage) {
    loadXmm(state, image, xmmCount(mode));
    return;
  }
  clearHalves(state, LOWER, xmmCount(mode));
}

/** XGETBV: ECX 0 gives XCR0, ECX 1 the enabled components in use. SDM Vol. 2D "XGETBV". */
function xgetbv(cpu: Cpu, mode: number): void {
  const { state } = cpu;
  if ((state.cr4 & CR4_OSXSAVE) === 0n) throw new GuestFault(UD);
  const index = state.gpr32(1);
  let value = state.get64(STATE.xcr0);
  if (index === 1 && cpu.hasFeature('xgetbv1')) {
    value &= BigInt(componentsInUse(state, mode));
  } else if (index !== 0) {
    throw new GuestFault(GP);
  }
  state.setGpr32(0, Number(BigInt.asUintN(32, value)));
  state.setGpr32(2, Number(value >> 32n));
}

/** Components that XCR0 may enable on this processor. */
function supportedComponents(cpu: Cpu): number {
  const keys = cpu.hasFeature('pku') ? XCR0_PKRU : 0;
  return XCR0_X87 | XCR0_SSE | (cpu.hasFeature('avx') ? XCR0_AVX : 0) | keys;
}

/** XSETBV: sets XCR0; #GP(0) for what does not exist or does not go together. */
function xsetbv(cpu: Cpu): void {
  const { state } = cpu;
  if ((state.cr4 & CR4_OSXSAVE) === 0n) throw new GuestFault(UD);
  const value = state.gpr32(0);
  const wrong =
    state.gpr32(1) !== 0 ||
    state.gpr32(2) !== 0 ||
    (value & ~supportedComponents(cpu)) !== 0 ||
    (value & XCR0_X87) === 0 ||
    ((value & XCR0_AVX) !== 0 && (value & XCR0_SSE) === 0);
  if (wrong) throw new GuestFault(GP);
  state.set64(STATE.xcr0, BigInt(value));
  cpu.modeChanged();
}

/** A helper over an area: the address unsigned, then the mode bits. */
function areaHelper(run: (cpu: Cpu, address: bigint, mode: number) => void): Helper {
  return {
    params: ['i64', 'i32'],
    run: (cpu, address: bigint, mode: number) => run(cpu, BigInt.asUintN(64, address), mode),
  };
}

export const xsaveHelpers: Record<string, Helper> = {
  xsave: areaHelper((cpu, address, mode) => saveStandard(cpu, address, mode, false)),
  xsaveopt: areaHelper((cpu, address, mode) => saveStandard(cpu, address, mode, true)),
  xsavec: areaHelper(saveCompacted),
  xrstor: areaHelper((cpu, address, mode) => restore(cpu, address, mode, false)),
  xrstors: areaHelper((cpu, address, mode) => restore(cpu, address, mode, true)),
  xgetbv: { params: ['i32'], run: xgetbv },
  xsetbv: { params: [], run: xsetbv },
};
