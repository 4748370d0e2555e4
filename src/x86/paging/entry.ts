/**
 * A page-table entry. SDM Vol. 3A, 4.5 "4-Level Paging and 5-Level Paging"; APM Vol. 2, 5.4.
 *
 *    63 62..59 58..52 51 ................ 12 11..9 8  7  6 5  4   3  2 1 0
 *   +--+------+------+----------------------+-----+-+--+-+-+---+---+-+-+-+
 *   |NX| key  | free | frame address        |free |G|PS|D|A|PCD|PWT|U|W|P|
 *   +--+------+------+----------------------+-----+-+--+-+-+---+---+-+-+-+
 *
 * PAE entries are the same without the key; 32-bit entries are the low half alone.
 */
export const PTE_PRESENT = 1 << 0; // P: the entry maps something
export const PTE_WRITABLE = 1 << 1; // W
export const PTE_USER = 1 << 2; // U: privilege level 3 may use it
export const PTE_ACCESSED = 1 << 5; // A
export const PTE_DIRTY = 1 << 6; // D: leaf entries only
export const PTE_LARGE = 1 << 7; // PS: this entry is a leaf above level 1
export const PTE_GLOBAL = 1 << 8; // G: leaf entries only
export const PTE_NO_EXECUTE_HIGH = 0x8000_0000 | 0; // NX, bit 31 of the high half

/** Error code of a page fault. SDM Vol. 3A, figure "Page-Fault Error Code". */
export const PF_PRESENT = 1 << 0; // protection, not absence
export const PF_WRITE = 1 << 1;
export const PF_USER = 1 << 2;
export const PF_RESERVED = 1 << 3; // a reserved bit was set in some entry
export const PF_FETCH = 1 << 4;
export const PF_KEY = 1 << 5; // protection key

export const ACCESS_READ = 0;
export const ACCESS_WRITE = 1;
export const ACCESS_EXECUTE = 2;
export type PageAccess = typeof ACCESS_READ | typeof ACCESS_WRITE | typeof ACCESS_EXECUTE;
