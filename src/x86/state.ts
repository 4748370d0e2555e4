/**
 * The vCPU state block: all architectural state at fixed byte offsets of one block in linear memory,
 * so that handlers, regions and TypeScript see the same thing and saving a vCPU is copying a block.
 *
 * Flags are kept lazily, one field a flag group, in a form that every ALU result yields directly:
 *
 *   flagZ  i64   ZF = (flagZ == 0)
 *   flagS  i64   SF = sign of flagS; PF = even parity of its low byte
 *   flagC  i32   CF = flagC (0 or 1)
 *   flagO  i64   OF = sign of flagO
 *   flagA  i64   AF = bit 4 of flagA
 *
 * Operands of up to 64 bits are held sign-extended, so the formulas do not depend on the width.
 */
export const STATE = {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15, 8 bytes each */
  gpr: 0,
  /** exact only outside the engine; inside, RIP = ripBase + offset of the instruction in its page */
  rip: 128,
  /** always 0: stands in for an absent base or index register */
  zero: 136,
  flagZ: 144,
  flagS: 152,
  flagO: 160,
  flagA: 168,
  flagC: 176,
  /** EFLAGS without the six arithmetic flags; bit 1 always set */
  eflags: 180,
  /** RIP of byte 0 of the linear page being executed (RIP minus linear page offset) */
  ripBase: 184,
  /** always 0x4000; with ripBase makes any RIP-relative displacement fit 32 bits */
  constant4000: 192,

  /** ES CS SS DS FS GS LDTR TR, SEGMENT_BYTES each: see SEGMENT */
  segments: 256,
  gdtrBase: 512,
  gdtrLimit: 520,
  idtrBase: 528,
  idtrLimit: 536,
  /** 1 from the delivery of a non-maskable interrupt to the next IRET, i32 */
  nmiBlocked: 540,

  cr0: 576,
  cr2: 584,
  cr3: 592,
  cr4: 600,
  /** CR8 lives in the interrupt controller */
  xcr0: 608,
  dr: 616, // DR0..DR3, DR6 at +48, DR7 at +56
  efer: 680,
  star: 688,
  lstar: 696,
  cstar: 704,
  sfmask: 712,
  kernelGsBase: 720,
  sysenterCs: 728,
  sysenterEsp: 736,
  sysenterEip: 744,
  pat: 752,
  tscAux: 760,
  /** added to the host-driven counter: RDTSC = counter + tscOffset */
  tscOffset: 768,
  tscAdjust: 776,
  miscEnable: 784,
  mtrrDefType: 792,
  mtrrs: 800, // 11 fixed-range, then 8 pairs of variable-range: 27 × 8 bytes
  xss: 1024,

  /** privilege level 0..3, i32 */
  cpl: 1032,
  /**
   * not 0: inhibits interrupts until the next instruction has retired (STI, MOV SS), i32. After STI, the low
   * half of that instruction's RIP.
   */
  interruptShadow: 1036,
  /** 1 while halted by HLT, i32 */
  halted: 1040,
  /** sign bit set: leave at the next taken branch, i32; may be written from other threads */
  attention: 1044,
  /** record being executed when the engine left, i32 */
  pc: 1048,
  /** what is left of the budget when the engine left, in bytes of records, i32 */
  budget: 1052,
  /** fault that made the engine leave: vector or -1, i32 */
  faultVector: 1056,
  faultErrorCode: 1060,
  /** linear address of a page fault */
  faultAddress: 1064,
  /** linear-memory offset of the TLB for the current privilege, i32 */
  tlb: 1072,
  /** scratch for helpers that return more than one value */
  scratch: 1080, // 4 × 8 bytes

  /** bit set: the instruction family traps (#NM, #UD) under CR0, CR4, XCR0: see GATE_ in meaning.ts; i32 */
  trapGate: 1112,
  /**
   * sign bit set: an interrupt may be waiting, i32. Whatever sets EFLAGS.IF adds it to `attention`; never
   * clear while one waits.
   */
  interruptPending: 1116,
  /** MXCSR, i32 */
  mxcsr: 1120,
  /** MXCSR_MASK as FXSAVE reports it is a constant; see fpu/ */
  fpuControl: 1124, // u16
  fpuStatus: 1126, // u16, TOP bits kept in fpuTop
  fpuTop: 1128, // i32 0..7
  /** bit i set: physical register i is not empty, i32 */
  fpuValid: 1132,
  fpuOpcode: 1136, // u16
  fpuIpSelector: 1138, // u16
  fpuDpSelector: 1140, // u16
  fpuIp: 1144, // u64
  fpuDp: 1152, // u64
  /** physical registers R0..R7, 16 bytes each: significand u64, then sign and exponent u16 */
  fpr: 1168,
  /** 16 × 32 bytes: XMM in the low, the upper YMM half in the high 16 bytes */
  xmm: 1296,
  /** record bytes (32 an instruction) that regions have run, u64 */
  regionBytes: 1824,
  /** regions left for other code so far, i32; wraps */
  regionExits: 1832,
  /**
   * linear-memory offsets of the TLBs of user, supervisor, and supervisor with EFLAGS.AC, i32 each; 0 for one
   * that 64-bit code cannot use as it is
   */
  tlbs: 1836, // 3 × 4 bytes
  /** sixteen-byte bounce buffer for accesses that have no direct mapping */
  bounce: 1808,
  /** operands and result of vector helpers: three of 32 bytes */
  vectorScratch: 1856,
  /** conditions of DR6 to report when the instruction under way has completed, i32 */
  pendingDebug: 1952,
  /** events delivered through the interrupt table so far, i32; wraps */
  deliveries: 1956,
  /** rights of the protection keys, i32 */
  pkru: 1960,
  /** machine-check control registers: MCG_CTL, then MC0_CTL to MC3_CTL */
  machineCheck: 1968, // 5 × 8 bytes
  /** PAE: the four page-directory pointers, as MOV to CR3 loaded them */
  pagePointers: 2008, // 4 × 8 bytes
  /** bytes of the whole block */
  size: 2304,
} as const;

/**
 * One segment register inside `STATE.segments`: selector u16 +0, attributes u32 +4, limit u32 +8,
 * base u64 +16; derived from them for ES to GS, see segment-limits.ts: readTop u32 +24, writeTop u32 +28.
 */
export const SEGMENT = {
  bytes: 32,
  selector: 0,
  attributes: 4,
  limit: 8,
  base: 16,
  readTop: 24,
  writeTop: 28,
} as const;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

/** State offset of general register `index` (0 to 15). */
export function gprOffset(index: number): number {
  return STATE.gpr + index * 8;
}

/** State offset of XMM/YMM register `index`. */
export function xmmOffset(index: number): number {
  return STATE.xmm + index * 32;
}

/** State offset of the base address of segment register `index`. */
export function segmentBaseOffset(index: number): number {
  return STATE.segments + index * SEGMENT.bytes + SEGMENT.base;
}
