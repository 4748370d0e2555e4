/**
 * Where the boot loaders put their structures in the guest's first 640 KiB. The kernel reads them
 * before it uses that memory for itself. The first page is left alone: interrupt vectors and BIOS
 * data of a real-mode guest live there.
 */
export const GDT_GPA = 0x1000;
/** hvm_start_info (PVH) or the multiboot information */
export const START_INFO_GPA = 0x6000;
/** module list of either, in the same page */
export const MODULES_GPA = 0x6800;
/** Linux boot_params, the "zero page" */
export const BOOT_PARAMS_GPA = 0x7000;
export const MEMORY_MAP_GPA = 0x8000;
/** PML4, then one PDPT, then four page directories: the first 4 GiB one to one */
export const PAGE_TABLES_GPA = 0x9000;
export const CMDLINE_GPA = 0x10000;
/** room for the command line, terminator included */
export const CMDLINE_BYTES = 0x1000;

/** A memory map of more entries does not fit its page, nor Linux's own table. */
export const MAX_MEMORY_MAP_ENTRIES = 128;

export const PAGE_SIZE = 4096;
export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
