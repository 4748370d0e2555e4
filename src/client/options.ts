import { z } from 'zod';
import type { EngineName } from '../machine/config.ts';
import { VivariumError } from '../util/mod.ts';
import { parseCpu } from '../x86/cpuid/mod.ts';
import { cdromSchema, type DiskOptions, disksSchema } from './disks.ts';
import { type FolderOptions, foldersSchema } from './folders.ts';
import { parseMemorySize } from './memory-size.ts';

/** What a machine is made of. Everything has a default: `{}` is the default guest. */
export interface MachineOptions {
  /** guest memory: `512M` (the default), `2G`, or a number of bytes */
  readonly memory?: string | number | undefined;
  /** number of processors; 1 */
  readonly cpus?: number | undefined;
  /** what the processor announces: `v1`, `v2` (the default) or `max`, then changes: `v2,+avx,-smap` */
  readonly cpu?: string | undefined;
  /** kernel image, or a path to it: bzImage, PVH ELF or multiboot ELF; the default guest's */
  readonly kernel?: string | Uint8Array | undefined;
  /** start from firmware instead of a kernel: `seabios`, or the path of an image */
  readonly firmware?: string | undefined;
  /** image of a CD-ROM; the machine starts from firmware when there is no kernel */
  readonly cdrom?: string | undefined;
  /** initial RAM disk, or a path to it; the default guest's when `kernel` is not given either */
  readonly initrd?: string | Uint8Array | undefined;
  /** kernel command line; the default guest's when `kernel` is not given either, else empty */
  readonly cmdline?: string | undefined;
  /** added to the kernel command line, whichever it is */
  readonly appendCmdline?: string | undefined;
  /** disks, in the order in which the guest finds them; a path stands for a disk without options */
  readonly disks?: readonly (string | DiskOptions)[] | undefined;
  /**
   * directories and files of this host that the guest sees: `HOST:GUEST[:ro]`, or a description. The guest's
   * start-up mounts them at GUEST; elsewhere, `mount -t virtiofs viv0 GUEST` mounts the first
   */
  readonly folders?: readonly (string | FolderOptions)[] | undefined;
  /**
   * sockets between guest and host (virtio-vsock), and where: programs of the host reach port P of the guest through the
   * Unix socket of this path (`CONNECT P`), and the guest reaches a program that listens on `PATH_P` as port P of host 2
   */
  readonly vsock?: string | undefined;
  /**
   * `none` (the default); `user`, which may name what the guest reaches: `user,allow=RULE,...`; or `switch:NAME`,
   * a switch between the machines of this user: `switch:NAME,mac=ADDRESS`
   */
  readonly net?: string | undefined;
  /** ports of the host that lead into the guest: `[ADDRESS:]HOST:GUEST[/udp]`; need a network */
  readonly publish?: readonly string[] | undefined;
  /** file for a capture of every frame, which tcpdump and Wireshark read */
  readonly netDump?: string | undefined;
  /** a source of random numbers for the guest (virtio-rng); there is one if there are disks */
  readonly rng?: boolean | undefined;
  /** lets the guest give back memory that it does not use (virtio-balloon); on if there are disks */
  readonly balloon?: boolean | undefined;
  /** `virtio` adds a virtio console: input goes to it once the guest has opened it; `serial` */
  readonly consoleDevice?: 'serial' | 'virtio' | undefined;
  /** what executes guest instructions; `auto` takes the fastest */
  readonly engine?: 'auto' | EngineName | undefined;
  /** `stats().trace` shows translated code: of the region at an address, or `hottest=N` regions */
  readonly trace?: string | undefined;
  /**
   * directory in which code that `bt` has translated is kept for later runs, `DIR[,readonly]`, or `none`;
   * `$VIVARIUM_CODE_ARCHIVE` when it is not given, and none when that is not set either
   */
  readonly codeArchive?: string | undefined;
  /** `bt` translates everything before it first runs: slow, for tests */
  readonly eager?: boolean | undefined;
  /** a guest write of N to port 0xf4 ends the machine with code (N<<1)|1 */
  readonly debugExit?: boolean | undefined;
  /** a guest reset ends the machine instead of starting it again */
  readonly noReboot?: boolean | undefined;
  /** told what is being fetched or unpacked before a default guest can start */
  readonly progress?: ((message: string) => void) | undefined;
  /** told in a sentence when the machine needs its user, for example when the host's disk is full */
  readonly notice?: ((message: string) => void) | undefined;
  /** where packages of the default guest come from, instead of the host's own package sources */
  readonly mirror?: string | undefined;
  /** another board than the product's, for tests: the URL of a module that exports `Board` */
  readonly boardModule?: string | undefined;
}

/** Engines that exist today, the fastest first. */
const ENGINES = ['bt', 'interp', 'reference'] as const satisfies readonly EngineName[];
const PLANNED_ENGINES: readonly string[] = ['kvm'] satisfies readonly EngineName[];

const bytes = z.instanceof(Uint8Array, { error: 'must be a path or a Uint8Array' });

const engine = z.string().transform((name, context) => {
  if (name === 'auto') return ENGINES[0];
  const known = ENGINES.find((one) => one === name);
  if (known !== undefined) return known;
  const message = PLANNED_ENGINES.includes(name)
    ? `the engine "${name}" is not there yet; use one of auto, ${ENGINES.join(', ')}`
    : `"${name}" is no engine; use one of auto, ${ENGINES.join(', ')}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const cpu = z.string({ error: 'must be text like v2,+avx' }).check((context) => {
  try {
    parseCpu(context.value);
  } catch (error) {
    if (!(error instanceof VivariumError)) throw error;
    context.issues.push({ code: 'custom', message: error.message, input: context.value });
  }
});

const schema = z.strictObject({
  memory: z
    .union([z.string(), z.number()], { error: 'must be a size like 512M' })
    .default('512M')
    .transform(parseMemorySize),
  cpus: z
    .int({ error: 'must be a whole number' })
    .min(1, { error: 'a machine has at least one processor' })
    .max(1, { error: 'machines with more than one processor are not there yet' })
    .default(1),
  cpu: cpu.optional(),
  kernel: z.union([z.string(), bytes], { error: 'must be a path or a Uint8Array' }).optional(),
  initrd: z.union([z.string(), bytes], { error: 'must be a path or a Uint8Array' }).optional(),
  cmdline: z.string({ error: 'must be text' }).optional(),
  appendCmdline: z.string({ error: 'must be text' }).optional(),
  firmware: z.string({ error: 'must be seabios or a path' }).min(1).optional(),
  cdrom: cdromSchema,
  rng: z.boolean({ error: 'must be true or false' }).optional(),
  balloon: z.boolean({ error: 'must be true or false' }).optional(),
  consoleDevice: z
    .enum(['serial', 'virtio'], { error: 'must be serial or virtio' })
    .default('serial'),
  disks: disksSchema,
  folders: foldersSchema,
  vsock: z.string({ error: 'must be a path' }).min(1).optional(),
  net: z.string({ error: 'must be text' }).default('none'),
  publish: z.array(z.string({ error: 'must be text' })).default([]),
  netDump: z.string({ error: 'must be a path' }).optional(),
  engine: engine.default(ENGINES[0]),
  trace: z
    .string()
    .regex(/^(hottest(=[1-9]\d{0,3})?|0x[0-9a-f]{1,16})$/i, {
      error: 'must be hottest, hottest=N or an address like 0xffffffff81000000',
    })
    .optional(),
  codeArchive: z.string({ error: 'must be a path, or none' }).min(1).optional(),
  eager: z.boolean({ error: 'must be true or false' }).default(false),
  debugExit: z.boolean({ error: 'must be true or false' }).default(false),
  noReboot: z.boolean({ error: 'must be true or false' }).default(false),
  progress: z.custom<(message: string) => void>((value) => typeof value === 'function').optional(),
  notice: z.custom<(message: string) => void>((value) => typeof value === 'function').optional(),
  mirror: z.string().optional(),
  boardModule: z.string().optional(),
});

/** Options with every default in place. */
export type CheckedOptions = z.infer<typeof schema>;

/** Checks options; throws a `VivariumError` with code `option-invalid` and one sentence. */
export function checkOptions(options: MachineOptions): CheckedOptions {
  const result = schema.safeParse(options);
  if (result.success) {
    const { kernel, initrd, firmware } = result.data;
    if (firmware !== undefined && (kernel ?? initrd) !== undefined) {
      throw new VivariumError('option-invalid', 'a machine starts from firmware or from a kernel');
    }
    return result.data;
  }
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw new VivariumError('option-invalid', `there is no option "${issue.keys[0]}"`);
  }
  const name = placeOf(issue?.path ?? [], options);
  throw new VivariumError('option-invalid', `${name}: ${issue?.message}`);
}

/** What is wrong, by its name; of disks and folders which one, by what the user calls it. */
function placeOf(path: readonly PropertyKey[], options: object): string {
  const [list, index, ...rest] = path;
  if (list === undefined || index === undefined) return path.join('.');
  const given = (options as Record<PropertyKey, Record<PropertyKey, unknown>>)[list]?.[index];
  if (typeof given === 'string') return JSON.stringify(given);
  const { path: disk, host: folder } = (given ?? {}) as { path?: unknown; host?: unknown };
  const which = disk ?? folder;
  return typeof which === 'string' ? [which, ...rest].join(', ') : path.join('.');
}
