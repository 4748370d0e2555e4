/** The processor states in which the boot protocols enter a kernel. */
import type { BootRegisters, BootSegment, BootState } from './boot-state.ts';
import type { ImageWriter } from './image-writer.ts';
import { GDT_GPA, GIB, PAGE_SIZE, PAGE_TABLES_GPA } from './layout.ts';

// Control register bits (AMD64 manual vol. 2, 3.1).
const CR0_PE = 1 << 0; // protected mode
const CR0_ET = 1 << 4; // always one
const CR0_PG = 0x8000_0000; // paging
const CR4_PAE = 1 << 5; // 64-bit page table entries
const EFER_LME = 1 << 8; // long mode enabled
const EFER_LMA = 1 << 10; // long mode active
const RFLAGS_RESERVED = 1 << 1; // always one

// Segment attributes; see BootSegment. Flat, 4 GiB, present, ring 0, accessed.
const CODE32 = 0xc09b;
const CODE64 = 0xa09b;
const DATA = 0xc093;
const TSS_BUSY = 0x008b;

// Linux's __BOOT_CS and __BOOT_DS, which its 64-bit boot protocol asks for.
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TASK_SELECTOR = 0x20;

// Page table entry bits (AMD64 manual vol. 2, 5.4).
const PTE_PRESENT = 1 << 0;
const PTE_WRITE = 1 << 1;
const PTE_PAGE_SIZE = 1 << 7; // 2 MiB page

const LARGE_PAGE = 2 * 1024 * 1024;
const IDENTITY_BYTES = 4 * GIB;

interface Entry {
  readonly protocol: BootState['protocol'];
  readonly entry: number;
  readonly registers: BootRegisters;
}

/** 32-bit protected mode, flat segments, paging off (PVH and multiboot). */
export function protected32(writer: ImageWriter, entry: Entry): BootState {
  return {
    ...entry,
    ...common(writer, CODE32),
    mode: 'protected32',
    cr0: CR0_PE | CR0_ET,
    cr3: 0,
    cr4: 0,
    efer: 0,
  };
}

/** 64-bit mode, the first 4 GiB mapped one to one in 2 MiB pages (Linux 64-bit boot protocol). */
export function long64(writer: ImageWriter, entry: Entry): BootState {
  writer.write(PAGE_TABLES_GPA, identityTables());
  return {
    ...entry,
    ...common(writer, CODE64),
    mode: 'long64',
    cr0: (CR0_PG | CR0_PE | CR0_ET) >>> 0,
    cr3: PAGE_TABLES_GPA,
    cr4: CR4_PAE,
    efer: EFER_LME | EFER_LMA,
  };
}

function common(writer: ImageWriter, codeAttributes: number) {
  const segment = (selector: number, attributes: number, limit: number): BootSegment => ({
    selector,
    base: 0,
    limit,
    attributes,
  });
  const code = segment(CODE_SELECTOR, codeAttributes, 0xffff_ffff);
  const data = segment(DATA_SELECTOR, DATA, 0xffff_ffff);
  const task = segment(TASK_SELECTOR, TSS_BUSY, 0x67);
  const gdt = new BigUint64Array((TASK_SELECTOR + 16) / 8);
  for (const each of [code, data, task]) gdt[each.selector / 8] = descriptor(each);
  writer.write(GDT_GPA, new Uint8Array(gdt.buffer));
  return {
    rflags: RFLAGS_RESERVED,
    code,
    data,
    task,
    gdt: { base: GDT_GPA, limit: gdt.byteLength - 1 },
  };
}

/** The 8 bytes of a descriptor with base 0 (AMD64 manual vol. 2, 4.7). */
function descriptor({ limit, attributes }: BootSegment): bigint {
  const inPages = (attributes & 0x8000) !== 0;
  const units = BigInt(inPages ? Math.floor(limit / PAGE_SIZE) : limit);
  return (units & 0xffffn) | (BigInt(attributes) << 40n) | ((units >> 16n) << 48n);
}

/** PML4, PDPT and one page directory for each GiB. */
function identityTables(): Uint8Array {
  const gibs = IDENTITY_BYTES / GIB;
  const table = new BigUint64Array(((2 + gibs) * PAGE_SIZE) / 8);
  const perTable = PAGE_SIZE / 8;
  const pointer = (index: number) =>
    BigInt(PAGE_TABLES_GPA + index * PAGE_SIZE + (PTE_PRESENT | PTE_WRITE));
  table[0] = pointer(1);
  for (let gib = 0; gib < gibs; gib++) table[perTable + gib] = pointer(2 + gib);
  for (let page = 0; page < IDENTITY_BYTES / LARGE_PAGE; page++) {
    const flags = PTE_PRESENT | PTE_WRITE | PTE_PAGE_SIZE;
    table[2 * perTable + page] = BigInt(page * LARGE_PAGE + flags);
  }
  return new Uint8Array(table.buffer);
}
