import {
  CODE_ADDRESS,
  CODE_BYTES,
  DATA_ADDRESS,
  DATA_BYTES,
  EXIT_ADDRESS,
  EXIT32_ADDRESS,
  PAGE,
  WRITABLE_BYTES,
} from './layout.ts';

/**
 * What surrounds a case in the guest: page tables that map the layout for user mode, and, in the upper
 * half for the supervisor alone, descriptor tables and one HLT for each exception vector.
 *
 * Guest-physical: everything low at its linear address, the end page above 3 MiB, the rest from 64 KiB.
 */
const PML4 = 0x1_0000;
const SUPERVISOR = 0xffff_8000_0000_0000n;
const IDT = 0x2_0000;
const GDT = 0x2_1000;
const TSS = 0x2_2000;
const HANDLERS = 0x2_3000;
const STACK = 0x2_4000;
const END_PAGE = 0x31_0000;
export const GUEST_BYTES = 0x40_0000;

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;
/** accessed and dirty, so that nothing needs setting */
const USED = 0x60n;
const NO_EXECUTE = 1n << 63n;

/** Where exceptions go: HLT at `handlerOf(vector)`, with the frame below `stackTop`. */
export const stackTop = SUPERVISOR + BigInt(STACK + PAGE);
export const stackTopPhysical = STACK + PAGE;
export const handlerOf = (vector: number): bigint => SUPERVISOR + BigInt(HANDLERS + 16 * vector);

export const CODE_SELECTORS = { 32: 0x23, 64: 0x33 } as const;
export const STACK_SELECTOR = 0x2b;

/** Values of the system registers. */
export const SYSTEM_REGISTERS = {
  /** PE MP ET NE WP AM PG */
  cr0: 0x8005_0033n,
  cr3: BigInt(PML4),
  /** PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE PKE */
  cr4: 0x45_0620n,
  /** SCE LME LMA NXE */
  efer: 0xd01n,
  xcr0: 7n,
  idtrBase: SUPERVISOR + BigInt(IDT),
  idtrLimit: 0xfff,
  gdtrBase: SUPERVISOR + BigInt(GDT),
  gdtrLimit: 0x7f,
  tssBase: SUPERVISOR + BigInt(TSS),
} as const;

/** Writes everything but the case itself. */
export function writeGuestTables(write: (gpa: number, bytes: Uint8Array) => void): void {
  const set64 = (gpa: number, value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    write(gpa, bytes);
  };

  // page tables
  let next = PML4 + PAGE;
  const entries = new Map<number, bigint>();
  const tableAt = (slot: number): number => {
    const entry = entries.get(slot);
    if (entry !== undefined) return Number(entry & ~0xfffn);
    const table = next;
    next += PAGE;
    entries.set(slot, BigInt(table) | PRESENT | WRITABLE | USER | USED);
    return table;
  };
  const map = (linear: bigint, gpa: number, rights: bigint) => {
    let table = PML4;
    for (const shift of [39n, 30n, 21n]) {
      table = tableAt(table + 8 * Number((linear >> shift) & 511n));
    }
    entries.set(table + 8 * Number((linear >> 12n) & 511n), BigInt(gpa) | PRESENT | USED | rights);
  };
  const mapRange = (linear: number, bytes: number, rights: bigint) => {
    for (let at = linear; at < linear + bytes; at += PAGE) map(BigInt(at), at, rights);
  };
  mapRange(CODE_ADDRESS, CODE_BYTES, USER);
  mapRange(DATA_ADDRESS, WRITABLE_BYTES, USER | WRITABLE | NO_EXECUTE);
  mapRange(DATA_ADDRESS + WRITABLE_BYTES, DATA_BYTES - WRITABLE_BYTES, USER | NO_EXECUTE);
  mapRange(EXIT32_ADDRESS, PAGE, USER);
  map(EXIT_ADDRESS, END_PAGE, USER);
  for (let at = PML4; at <= STACK; at += PAGE) map(SUPERVISOR + BigInt(at), at, WRITABLE);
  for (const [slot, entry] of entries) set64(slot, entry);

  // the end of a case: HLT, which level 3 may not; behind it what a case that reads there finds on the host
  write(EXIT32_ADDRESS, Uint8Array.of(0xff, 0x25));
  set64(EXIT32_ADDRESS + 6, EXIT_ADDRESS);
  write(EXIT32_ADDRESS, Uint8Array.of(0xf4));
  write(END_PAGE, new Uint8Array(PAGE).fill(0xf4));
  write(HANDLERS, new Uint8Array(PAGE).fill(0xf4));
  write(STACK, new Uint8Array(PAGE).fill(1)); // written, so that it has a frame of its own

  // interrupt gates; INT3 and INTO may be called from level 3
  for (let vector = 0; vector < 256; vector++) {
    const handler = handlerOf(vector);
    const level = vector === 3 || vector === 4 ? 3n : 0n;
    const low = handler & 0xffffn;
    const middle = (handler >> 16n) & 0xffffn;
    set64(
      IDT + 16 * vector,
      low | (0x10n << 16n) | (0x8e00n << 32n) | (level << 45n) | (middle << 48n),
    );
    set64(IDT + 16 * vector + 8, handler >> 32n);
  }

  // null, -, kernel code (0x10) and data (0x18), user 32-bit code (0x20), data (0x28), 64-bit code (0x30), TSS (0x40)
  set64(GDT + 0x10, 0x00af_9b00_0000_ffffn);
  set64(GDT + 0x18, 0x00cf_9300_0000_ffffn);
  set64(GDT + 0x20, 0x00cf_fb00_0000_ffffn);
  set64(GDT + 0x28, 0x00cf_f300_0000_ffffn);
  set64(GDT + 0x30, 0x00af_fb00_0000_ffffn);
  const tss = SYSTEM_REGISTERS.tssBase;
  set64(
    GDT + 0x40,
    0x67n | ((tss & 0xff_ffffn) << 16n) | (0x8bn << 40n) | (((tss >> 24n) & 0xffn) << 56n),
  );
  set64(GDT + 0x48, tss >> 32n);
  set64(TSS + 4, stackTop);
  set64(TSS + 0x60, 0x68n << 48n); // no I/O bitmap
}
