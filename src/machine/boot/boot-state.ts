/**
 * What a boot loader hands to the board: how a vCPU must look when it executes its first
 * instruction of the kernel. Plain data; everything it points at is already in guest memory.
 */

/** Kinds of guest-physical memory, as BIOS interrupt 0x15 function 0xe820 numbers them (ACPI 15). */
export const E820 = {
  ram: 1,
  reserved: 2,
  acpiReclaimable: 3,
  acpiNvs: 4,
  unusable: 5,
} as const;

/** One range of the guest-physical memory map. */
export interface E820Entry {
  readonly gpa: number;
  readonly bytes: number;
  /** one of `E820` */
  readonly type: number;
}

/**
 * A segment register. `attributes` are descriptor bits 40-55 with the limit bits zero: type in bits
 * 0-3, S in 4, DPL in 5-6, P in 7, AVL in 12, L in 13, D/B in 14, G in 15.
 */
export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  /** last valid offset in bytes */
  readonly limit: number;
  readonly attributes: number;
}

/** The general registers a protocol names; all others are zero. Values fit in 32 bits. */
export interface BootRegisters {
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsi?: number;
}

/** The state of the first vCPU at the kernel's first instruction. */
export interface BootState {
  readonly protocol: 'pvh' | 'linux64' | 'linux32' | 'multiboot';
  readonly mode: 'protected32' | 'long64';
  /** guest-physical and, as paging is off or the identity, also virtual address */
  readonly entry: number;
  readonly registers: BootRegisters;
  /** RFLAGS: interrupts off, direction up */
  readonly rflags: number;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly code: BootSegment;
  /** for DS, ES, FS, GS and SS */
  readonly data: BootSegment;
  readonly task: BootSegment;
  /** table in guest memory that the selectors above index */
  readonly gdt: { readonly base: number; readonly limit: number };
}

/** What `loadKernel` needs besides the image. */
export interface LoadOptions {
  readonly initrd?: Uint8Array;
  /** kernel command line, without a terminator */
  readonly cmdline: string;
  /** guest memory in bytes; used in messages, the map decides what is usable */
  readonly memoryBytes: number;
  /** sorted by address, without overlaps */
  readonly memoryMap: readonly E820Entry[];
  /** guest-physical address of the ACPI root pointer */
  readonly rsdpGpa?: number;
  /** Copies bytes into guest memory, which reads as zero wherever nothing was written. */
  readonly write: (gpa: number, bytes: Uint8Array) => void;
}
