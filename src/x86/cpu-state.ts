import { deriveTops } from './segment-limits.ts';
import { gprOffset, SEGMENT, STATE } from './state.ts';

/** EFLAGS bits. SDM Vol. 1, 3.4.3. */
export const EFLAGS = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;

const ARITHMETIC = EFLAGS.CF | EFLAGS.PF | EFLAGS.AF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF;

/** A low byte with odd parity and one with even parity, both without the sign bit. */
const ODD_PARITY = 1n;
const EVEN_PARITY = 0n;

/**
 * TypeScript's view of a vCPU state block (layout: state.ts). Slow paths only: 64-bit values are bigint.
 * `buffer` may be a growable shared memory: call `refresh` after it grew.
 */
export class CpuState {
  /** byte offset of the block in linear memory, a multiple of 64 */
  readonly base: number;
  u8!: Uint8Array;
  u16!: Uint16Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  u64!: BigUint64Array;
  view!: DataView;

  constructor(buffer: ArrayBufferLike, base: number) {
    this.base = base;
    this.refresh(buffer);
  }

  refresh(buffer: ArrayBufferLike): void {
    this.u8 = new Uint8Array(buffer, this.base, STATE.size);
    this.u16 = new Uint16Array(buffer, this.base, STATE.size >> 1);
    this.i32 = new Int32Array(buffer, this.base, STATE.size >> 2);
    this.u32 = new Uint32Array(buffer, this.base, STATE.size >> 2);
    this.u64 = new BigUint64Array(buffer, this.base, STATE.size >> 3);
    this.view = new DataView(buffer, this.base, STATE.size);
  }

  /** 64-bit field at byte `offset` of the block (a multiple of 8). */
  get64(offset: number): bigint {
    return this.u64[offset >> 3] as bigint;
  }
  set64(offset: number, value: bigint): void {
    this.u64[offset >> 3] = value;
  }
  /** 32-bit field, unsigned. */
  get32(offset: number): number {
    return this.u32[offset >> 2] as number;
  }
  set32(offset: number, value: number): void {
    this.u32[offset >> 2] = value;
  }
  get16(offset: number): number {
    return this.u16[offset >> 1] as number;
  }
  set16(offset: number, value: number): void {
    this.u16[offset >> 1] = value;
  }

  gpr(index: number): bigint {
    return this.get64(gprOffset(index));
  }
  setGpr(index: number, value: bigint): void {
    this.set64(gprOffset(index), value);
  }
  /** Low 32 bits of a general register, unsigned. */
  gpr32(index: number): number {
    return this.get32(gprOffset(index));
  }
  /** Writes 32 bits and clears the upper half. */
  setGpr32(index: number, value: number): void {
    this.set64(gprOffset(index), BigInt(value >>> 0));
  }

  get cpl(): number {
    return this.get32(STATE.cpl);
  }
  set cpl(value: number) {
    this.set32(STATE.cpl, value);
  }

  get cr0(): bigint {
    return this.get64(STATE.cr0);
  }
  get cr3(): bigint {
    return this.get64(STATE.cr3);
  }
  get cr4(): bigint {
    return this.get64(STATE.cr4);
  }
  get efer(): bigint {
    return this.get64(STATE.efer);
  }

  /** Segment register `index` (ES CS SS DS FS GS LDTR TR): fields of its hidden part. */
  selector(index: number): number {
    return this.get16(STATE.segments + index * SEGMENT.bytes + SEGMENT.selector);
  }
  /** Descriptor bits 40 to 55 as in the descriptor's second word >> 8 (type, S, DPL, P ... AVL, L, D/B, G). */
  segmentAttributes(index: number): number {
    return this.get32(STATE.segments + index * SEGMENT.bytes + SEGMENT.attributes);
  }
  /** Limit in bytes, granularity applied. */
  segmentLimit(index: number): number {
    return this.get32(STATE.segments + index * SEGMENT.bytes + SEGMENT.limit);
  }
  segmentBase(index: number): bigint {
    return this.get64(STATE.segments + index * SEGMENT.bytes + SEGMENT.base);
  }
  setSegment(
    index: number,
    selector: number,
    attributes: number,
    limit: number,
    base: bigint,
  ): void {
    const at = STATE.segments + index * SEGMENT.bytes;
    this.set16(at + SEGMENT.selector, selector);
    this.set32(at + SEGMENT.attributes, attributes);
    this.set32(at + SEGMENT.limit, limit);
    this.set64(at + SEGMENT.base, base);
    if (index < 6) deriveTops(this, index);
  }

  /** The whole EFLAGS register, materialised from the lazy fields. */
  getFlags(): number {
    const s = this.get64(STATE.flagS);
    let flags = this.get32(STATE.eflags) & ~ARITHMETIC;
    if (this.get32(STATE.flagC) !== 0) flags |= EFLAGS.CF;
    if (evenParity(Number(s & 0xffn))) flags |= EFLAGS.PF;
    if ((this.get64(STATE.flagA) & 16n) !== 0n) flags |= EFLAGS.AF;
    if (this.get64(STATE.flagZ) === 0n) flags |= EFLAGS.ZF;
    if (s >> 63n !== 0n) flags |= EFLAGS.SF;
    if (this.get64(STATE.flagO) >> 63n !== 0n) flags |= EFLAGS.OF;
    return (flags | 2) >>> 0;
  }

  /** Sets the whole EFLAGS register, without any privilege check. */
  setFlags(flags: number): void {
    this.set32(STATE.eflags, ((flags & ~ARITHMETIC) | 2) >>> 0);
    this.set32(STATE.flagC, flags & EFLAGS.CF);
    this.set64(STATE.flagA, BigInt(flags & EFLAGS.AF));
    this.set64(STATE.flagZ, (flags & EFLAGS.ZF) !== 0 ? 0n : 1n);
    const sign = (flags & EFLAGS.SF) !== 0 ? 1n << 63n : 0n;
    this.set64(STATE.flagS, sign | ((flags & EFLAGS.PF) !== 0 ? EVEN_PARITY : ODD_PARITY));
    this.set64(STATE.flagO, (flags & EFLAGS.OF) !== 0 ? 1n << 63n : 0n);
  }

  /** EFLAGS bits that are not arithmetic: cheap test of IF, TF, DF, IOPL, VM ... */
  get systemFlags(): number {
    return this.get32(STATE.eflags);
  }
}

function evenParity(byte: number): boolean {
  let folded = byte ^ (byte >> 4);
  folded ^= folded >> 2;
  folded ^= folded >> 1;
  return (folded & 1) === 0;
}
