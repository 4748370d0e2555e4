import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DiskOptions } from '../client/mod.ts';
import { VivariumError } from '../util/mod.ts';

import { parseDisk } from './disk-option.ts';

/** What `viv run` was asked for, as MACHINE.md's command line names it. */
export interface RunOptions {
  readonly kernel?: string | Uint8Array | undefined;
  readonly initrd?: string | Uint8Array | undefined;
  /** the disk image of a system, from which kernel and initrd were taken */
  readonly image?: string;
  readonly firmware?: string;
  readonly cdrom?: string;
  readonly console: 'serial' | 'virtio' | 'vga';
  readonly cmdline?: string;
  readonly disk: readonly DiskOptions[];
  readonly net: string;
  readonly publish: readonly string[];
  readonly volume: readonly string[];
  readonly netDump?: string;
  readonly screenshot?: string;
  readonly vsock?: string;
  readonly memory: string;
  readonly cpus: number;
  readonly cpu?: string;
  readonly serial: string;
  readonly engine: 'auto' | 'bt' | 'kvm' | 'interp' | 'reference';
  readonly debugExit: boolean;
  /** commander's name for `--no-reboot`: false when it is given */
  readonly reboot: boolean;
  readonly timeout?: number;
  /** what other commands call the machine */
  readonly name?: string;
  /** in the background */
  readonly detach?: boolean;
  /** true: to standard error; text: to that file */
  readonly stats?: true | string;
  readonly trace?: string;
  readonly traceFile?: string;
  readonly codeArchive?: string;
  readonly eager?: boolean;
}

/** Options that the command line reserves for later; given one, we say so. */
const later: readonly (readonly [flags: string, what: string])[] = [];

/** Adds the options of `viv run` to a command. */
export function addRunOptions(command: Command): Command {
  command
    .option('--kernel <file>', 'boot this kernel: bzImage, PVH ELF or multiboot ELF')
    .option('--initrd <file>', 'initial RAM disk for the kernel')
    .option('--cmdline <text>', "the kernel's command line")
    .option(
      '--firmware <name>',
      'start from firmware: seabios, ovmf (UEFI), or an image; seabios is the default with --cdrom\n' +
        'and with a first --disk that has a boot loader',
    )
    .option('--cdrom <file>', 'image of a CD-ROM')
    .option(
      '--disk <file[,option...]>',
      'a disk image, raw or qcow2; repeatable. Options: bus=virtio|nvme|ide, readonly, snapshot,\n' +
        'format=raw|qcow2, serial=TEXT; a comma in a name is written twice',
      addDisk,
      [],
    )
    .option('--memory <size>', 'memory of the machine', '512M')
    .option('--cpus <number>', 'number of processors', wholeNumber, 1)
    .option(
      '--cpu <model>',
      'what the processor announces: v1, v2 (the default), v3 or max, then ' +
        'features to add or remove, as in v3,+aes,-avx2',
    )
    .option('--serial <where>', 'the serial line: stdio, none, FILE or unix:PATH', 'stdio')
    .addOption(
      new Option('--console <kind>', 'the console device; vga prints the screen at the end')
        .choices(['serial', 'virtio', 'vga'])
        .default('serial'),
    )
    .addOption(
      new Option('--engine <name>', 'what executes guest instructions')
        .choices(['auto', 'bt', 'kvm', 'interp', 'reference'])
        .default('auto'),
    )
    .option(
      '--net <kind>',
      'none; user: a network without privileges, in which 10.0.2.2 (host.vivarium) is this host;\n' +
        'or switch:NAME[,mac=ADDRESS]: a switch between the machines of this user.\n' +
        'user,allow=RULE,... limits what the guest reaches: host, an address, a network, a name or\n' +
        '*.name, each with :PORT or :FIRST-LAST; an empty allow= denies everything',
      'none',
    )
    .option(
      '-p, --publish <ports>',
      '[ADDRESS:]HOST:GUEST[/udp]: a port of this host that leads into the guest; repeatable',
      (text: string, ports: readonly string[]) => [...ports, text],
      [],
    )
    .option(
      '-v, --volume <folder>',
      'HOST:GUEST[:ro]: a directory or file of this host that the guest sees at GUEST; repeatable.\n' +
        'Our own guest mounts it; elsewhere, mount -t virtiofs viv0 GUEST mounts the first.\n' +
        'uid=N,gid=N after ro or in its place: whose the files are in the guest, root by default',
      (text: string, folders: readonly string[]) => [...folders, text],
      [],
    )
    .option(
      '--vsock <path>',
      'sockets between guest and host: programs reach port P of the guest through the Unix socket\n' +
        'PATH by writing "CONNECT P"; the guest reaches those that listen on PATH_P as port P of host 2',
    )
    .option('--net-dump <file>', 'capture every frame, for tcpdump or Wireshark')
    .option('--name <name>', 'what other commands call the machine; one is made up by default')
    .option('-d, --detach', 'run in the background: viv logs, viv attach and viv stop reach it')
    .option(
      '--screenshot <file>',
      'save the screen as PNG when the machine ends; - for standard output',
    )
    .option('--debug-exit', 'a guest write of N to port 0xf4 exits with (N<<1)|1', false)
    .option('--no-reboot', 'exit when the guest resets instead of starting it again')
    .option('--timeout <seconds>', 'stop after so long, with exit code 124', seconds)
    .option('--stats [file]', 'print statistics as JSON at the end, to standard error or a file')
    .option(
      '--trace <what>',
      'at the end, print where instructions were spent and translated code, guest assembly beside\n' +
        'WebAssembly: of the region at an ADDRESS, of the hottest, or of hottest=N',
    )
    .option('--trace-file <file>', 'where --trace goes; standard error by default')
    .option(
      '--code-archive <dir[,readonly]>',
      'keep translated code there, so that later runs start faster and need not translate it again;\n' +
        'readonly: it is used, and stays as it is. By default $VIVARIUM_CODE_ARCHIVE, else none',
    )
    .addOption(
      new Option('--eager', 'translate everything before it first runs, for tests').hideHelp(),
    );
  for (const [flags] of later) command.addOption(new Option(flags).hideHelp());
  return command;
}

/** Throws a `VivariumError` that says `not yet` when an option of a later version was given. */
export function refuseLaterOptions(command: Command): void {
  for (const [flags, what] of later) {
    const option = new Option(flags);
    if (command.getOptionValue(option.attributeName()) !== undefined) {
      throw notYet(`${option.long}: ${what}`);
    }
  }
}

/** The sentence, of which `whatIs` is subject and verb, for what the command line promises but Vivarium cannot do today. */
export function notYet(whatIs: string): VivariumError {
  return new VivariumError('not-yet', `${whatIs} not there yet`);
}

function addDisk(text: string, disks: readonly DiskOptions[]): DiskOptions[] {
  return [...disks, parseDisk(text)];
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0) || value > 1e6) {
    throw new InvalidArgumentError('It must be a number of seconds above 0.');
  }
  return value;
}
