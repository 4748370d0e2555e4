import type { BlockBackend, FileServer, Link } from '../bus/mod.ts';
import type { BatchCompiler, RegionWorkshop, WorkshopPlace } from '../engine/mod.ts';

export type { UserInput } from './user-input.ts';

/** Which engine runs the vCPUs; see DESIGN section 2. */
export type EngineName = 'bt' | 'interp' | 'reference' | 'kvm';

/** A disk, whose contents are `BoardHost.disks` of the same place. */
export interface DiskConfig {
  readonly bus: 'virtio' | 'nvme' | 'ide';
  /** a disc in a CD-ROM drive, on the bus `ide` only; a hard disk if absent */
  readonly media?: 'disk' | 'cdrom';
  /** what the guest sees as its identity, up to 20 characters */
  readonly serial?: string;
}

/** What a machine starts from when it is switched on, instead of a kernel that is loaded for it. */
export interface FirmwareConfig {
  /** its last bytes are those below 4 GiB */
  readonly image: Uint8Array;
  /**
   * UEFI firmware: its variables, which lie below the image. The machine changes them, so that it finds
   * them after a reset.
   */
  readonly variables?: Uint8Array;
  /** option ROM of the graphics card; without one the screen stays dark */
  readonly videoRom?: Uint8Array;
  /** what the firmware tells of itself goes to the serial console */
  readonly log?: boolean;
}

/** Sockets between guest and host. */
export interface VsockConfig {
  /** the guest's context id, from 3 up */
  readonly cid: number;
}

/** A network card. */
export interface NetworkConfig {
  /** 6 bytes, of a single station */
  readonly mac: Uint8Array;
}

/** A shared folder, whose files are `BoardHost.folders` of the same place. */
export interface FolderConfig {
  /** by which the guest mounts it, up to 36 bytes */
  readonly tag: string;
}

/** A plain, validated description of a machine. Bytes are already in memory: the core does no I/O. */
export interface BoardConfig {
  /** guest memory in bytes, a multiple of 4 KiB */
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly engine: EngineName;
  /** what of the translated code the statistics show: `hottest`, `hottest=N` or an address */
  readonly trace?: string;
  /** the engine `bt` translates everything before it first runs: slow, for tests */
  readonly eager?: boolean;
  /** what CPUID announces: a level and changes, e.g. `v2,+avx`; the default level if absent */
  readonly cpu?: string;
  /** kernel image as found on disk: bzImage, PVH ELF or multiboot ELF; or there is firmware */
  readonly kernel?: Uint8Array;
  readonly firmware?: FirmwareConfig;
  readonly initrd?: Uint8Array;
  readonly cmdline: string;
  /** a guest write of N to port 0xf4 stops the machine with code (N<<1)|1 */
  readonly debugExit: boolean;
  readonly disks?: readonly DiskConfig[];
  /** a source of random numbers, from `BoardHost.fillRandom` */
  readonly rng?: boolean;
  /** lets the guest give back memory that it does not use */
  readonly balloon?: boolean;
  /** a virtio console beside the serial one; input goes to it once the guest has opened it */
  readonly virtioConsole?: boolean;
  readonly folders?: readonly FolderConfig[];
  /** sockets between guest and host, over `BoardHost.vsock` */
  readonly vsock?: VsockConfig;
  /** a network card on `BoardHost.network` */
  readonly network?: NetworkConfig;
}

/** What the board needs of the thread it runs on. */
export interface BoardHost {
  /** Monotonic host time in nanoseconds. */
  now(): number;
  /** Wall-clock time in milliseconds since 1970. */
  epochMilliseconds(): number;
  /** CPU time used by this thread or process so far, in seconds; 0 when the platform cannot tell. */
  cpuSeconds(): number;
  /** Bytes the guest sent on the serial console (COM1). The array is the receiver's to keep. */
  consoleOutput(bytes: Uint8Array): void;
  /** Fills an array with numbers that nobody can guess. */
  fillRandom?(target: Uint8Array<ArrayBuffer>): void;
  /** who translates beside the guest; one at a time */
  openWorkshop?(place: WorkshopPlace): RegionWorkshop | undefined;
  /** who compiles translated code for speed, for a processor with these features; one at a time */
  openBatchCompiler?(features: string): BatchCompiler | undefined;
  /** Contents of `BoardConfig.disks`; they outlive a board that is reset. */
  readonly disks?: readonly BlockBackend[];
  /** The files of `BoardConfig.folders`; they outlive a board that is reset. */
  readonly folders?: readonly FileServer[];
  /** Who keeps the host's ends of the guest's sockets; it outlives a board that is reset. */
  readonly vsock?: Link;
  /** What the network card is connected to; it outlives a board that is reset. */
  readonly network?: Link;
}

/** Why a machine no longer runs. */
export type StopReason =
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'debug-exit'; readonly code: number }
  | {
      readonly kind: 'triple-fault';
      readonly vcpu: number;
      /** RIP of the instruction that faulted last */
      readonly rip: bigint;
      /** name and number of the last exception, e.g. `#PF (14)` */
      readonly exception: string;
      /** a few lines of registers for the person who debugs the guest */
      readonly dump: string;
    };

/** What one slice of running came to. */
export type RunOutcome =
  | { readonly kind: 'running' }
  /** every vCPU is halted; nothing happens before guest time `until` (ns, may be Infinity) or an input */
  | { readonly kind: 'idle'; readonly until: number }
  | { readonly kind: 'stopped'; readonly reason: StopReason };

/** The object that `--stats` prints. */
export interface MachineStats {
  /** guest instructions retired */
  readonly instructions: number;
  readonly hostSeconds: number;
  readonly hostCpuSeconds: number;
  readonly guestSeconds: number;
  /** counts by reason */
  readonly exits: Readonly<Record<string, number>>;
  readonly tiers: {
    readonly reference: number;
    readonly handlers: number;
    readonly regions: number;
  };
  readonly regions: number;
  readonly compileSeconds: number;
  readonly tlb: { readonly hits: number; readonly misses: number; readonly flushes: number };
  readonly invalidations: number;
  readonly framesTouched: number;
  /** further counters, by name */
  readonly [extra: string]: unknown;
}
