/** Descriptor tables and page tables of the worlds that code is run in. */
import {
  CODE,
  CODE_BYTES,
  CODE16_BASE,
  CODE32_BASE,
  CONSTANTS,
  DATA,
  DATA_BYTES,
  FAULTS_LEFT,
  GDT,
  HANDLER_BYTES,
  HANDLERS,
  IDT,
  KERNEL_STACK,
  PAGE,
  PAGE_TABLES,
  REAL_HANDLERS,
  SELECTOR,
  TSS,
} from './layout.ts';

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;
const ACCESSED_DIRTY = 0x60n;

const view = (image: Uint8Array) => new DataView(image.buffer, image.byteOffset, image.length);

const low = (value: number) => [value & 0xff, value >> 8];
/** HLT */
const STOP = 0xf4;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21]);

/**
 * Handlers count down and return behind the first byte of the instruction that faulted; the last one halts.
 * So a case goes on through its code, instruction or not.
 */
const HANDLER = {
  // dec byte [cs:left]; jz; push bp; mov bp,sp; inc word [bp+2]; pop bp; iret; hlt
  16: () => [
    0x2e,
    0xfe,
    0x0e,
    ...low(FAULTS_LEFT),
    0x74,
    8,
    0x55,
    0x89,
    0xe5,
    0xff,
    0x46,
    2,
    0x5d,
    0xcf,
  ],
  // dec byte [ss:left]; jz; add esp,4; inc dword [esp]; iretd; hlt
  32: (skip: number[]) => [
    0x36,
    0xfe,
    0x0d,
    ...low(FAULTS_LEFT),
    0,
    0,
    0x74,
    skip.length + 4,
    ...skip,
    0xff,
    4,
    0x24,
    0xcf,
  ],
  // dec byte [left]; jz; add rsp,8; inc qword [rsp]; iretq; hlt
  64: (skip: number[]) => [
    0xfe,
    0x0c,
    0x25,
    ...low(FAULTS_LEFT),
    0,
    0,
    0x74,
    skip.length + 6,
    ...skip,
    0x48,
    0xff,
    4,
    0x24,
    0x48,
    0xcf,
  ],
} as const;

/** Vectors of real mode. */
export function writeVectors(image: Uint8Array): void {
  const words = view(image);
  for (let vector = 0; vector < 256; vector++) {
    const handler = REAL_HANDLERS + vector * HANDLER_BYTES;
    words.setUint16(4 * vector, handler, true);
    image.set([...HANDLER[16](), STOP], handler);
  }
}

/** GDT, TSS and an IDT of interrupt gates whose handlers halt. */
export function writeDescriptors(image: Uint8Array, long: boolean): void {
  const words = view(image);
  const set = (selector: number, value: bigint) =>
    words.setBigUint64(GDT + (selector & ~7), value, true);
  set(SELECTOR.code16, 0x0000_9b00_0000_ffffn | (BigInt(CODE16_BASE) << 16n));
  set(SELECTOR.data16, 0x0000_9300_0000_ffffn);
  set(SELECTOR.code32, 0x00cf_9b00_0000_ffffn);
  set(SELECTOR.data32, 0x00cf_9300_0000_ffffn);
  set(SELECTOR.code64, 0x00af_9b00_0000_ffffn);
  set(SELECTOR.userData, 0x00cf_f300_0000_ffffn);
  set(SELECTOR.userCode32, 0x00cf_fb00_0000_ffffn);
  set(SELECTOR.userCode64, 0x00af_fb00_0000_ffffn);
  set(SELECTOR.userCode16, 0x000f_fb00_0000_ffffn);
  set(SELECTOR.tss, 0x0000_8b00_0000_0067n | (BigInt(TSS) << 16n));
  if (!long) set(SELECTOR.basedCode32, 0x00cf_9b00_0000_ffffn | (BigInt(CODE32_BASE) << 16n));
  const stack = KERNEL_STACK + PAGE;
  if (long) {
    words.setBigUint64(TSS + 4, BigInt(stack), true);
    words.setBigUint64(TSS + 0x24, BigInt(stack), true); // IST1
    words.setUint16(TSS + 0x66, 0x68, true);
  } else {
    words.setUint32(TSS + 4, stack, true);
    words.setUint16(TSS + 8, SELECTOR.data32, true);
    words.setUint16(TSS + 0x66, 0x68, true);
  }
  for (let vector = 0; vector < 256; vector++) {
    const at = HANDLERS + vector * HANDLER_BYTES;
    const coded = WITH_ERROR_CODE.has(vector);
    const code = long
      ? HANDLER[64](coded ? [0x48, 0x83, 0xc4, 8] : [])
      : HANDLER[32](coded ? [0x83, 0xc4, 4] : []);
    image.set([...code, STOP], at);
    const handler = BigInt(at);
    const level = vector === 3 || vector === 4 || vector >= 0x80 ? 3n : 0n;
    if (long) {
      const gate = handler | (BigInt(SELECTOR.code64) << 16n) | (1n << 32n) | (0x8e00n << 32n);
      words.setBigUint64(IDT + 16 * vector, gate | (level << 45n), true);
    } else {
      const gate = handler | (BigInt(SELECTOR.code32) << 16n) | (0x8e00n << 32n);
      words.setBigUint64(IDT + 8 * vector, gate | (level << 45n), true);
    }
  }
}

/** What is mapped, and with which rights for user code. */
const RANGES: readonly (readonly [from: number, bytes: number, rights: bigint])[] = [
  [IDT, CODE - IDT, WRITABLE],
  [CODE, CODE_BYTES, WRITABLE | USER],
  [DATA, DATA_BYTES, WRITABLE | USER],
  [CONSTANTS, PAGE, USER],
];

/** Page tables of 4-KiB pages, with four levels or two. `codeRights` are added to the code's pages. */
export function writePageTables(image: Uint8Array, levels: 2 | 4, writableCode: boolean): void {
  const words = view(image);
  const rights = PRESENT | WRITABLE | USER | ACCESSED_DIRTY;
  const last = PAGE_TABLES + (levels - 1) * PAGE;
  for (let at = PAGE_TABLES; at < last; at += PAGE) {
    const entry = BigInt(at + PAGE) | rights;
    if (levels === 4) words.setBigUint64(at, entry, true);
    else words.setUint32(at, Number(entry), true);
  }
  for (const [from, bytes, allowed] of RANGES) {
    for (let page = from; page < from + bytes; page += PAGE) {
      let entry = BigInt(page) | PRESENT | ACCESSED_DIRTY | allowed;
      if (from === CODE && !writableCode) entry &= ~WRITABLE;
      // some pages have not been touched yet
      if (from === DATA && page % (2 * PAGE) === 0) entry &= ~ACCESSED_DIRTY;
      if (levels === 4) words.setBigUint64(last + 8 * (page / PAGE), entry, true);
      else words.setUint32(last + 4 * (page / PAGE), Number(entry), true);
    }
  }
}
