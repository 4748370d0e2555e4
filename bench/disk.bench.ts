/**
 * Disks under Vivarium and under QEMU, in turns, with the same guest: fio in a row and at random, on virtio and NVMe,
 * raw and qcow2. `npm run bench -- disk --help` lists options.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultGuest } from '../src/platform/node/mod.ts';
import { binViv } from '../test/guests/session.ts';
import { unpackProgramPackages } from './image/program-archive.ts';
import { type BootFiles, qemuCommand, qemuVersion } from './machines/qemu.ts';
import {
  compareSessions,
  type Done,
  measureSessions,
  RUN_SECONDS,
  type SessionWorkload,
  WARM_SECONDS,
} from './machines/session-bench.ts';
import { describeHost, readOptions } from './options.ts';
import { save } from './report/save.ts';

const DISK_MIB = 256;
const USED_MIB = 192;

const options = readOptions();
const host = describeHost();
const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const guest = await defaultGuest({ progress: (message) => console.error(message) });
using programs = unpackProgramPackages(['fio'], ['bin/fio']);
const files: BootFiles = {
  kernel: place('vmlinux', guest.kernel),
  initrd: place('initrd', programs.addTo(guest.initrd)),
  cmdline: guest.cmdline,
  memory: '768M',
};

const disks = [
  { name: 'virtio raw', device: 'vda', bus: 'virtio', format: 'raw' },
  { name: 'virtio qcow2', device: 'vdb', bus: 'virtio', format: 'qcow2' },
  { name: 'NVMe raw', device: 'nvme0n1', bus: 'nvme', format: 'raw' },
] as const;

/** Images of one machine; the guest fills them before anything is measured. */
function images(machine: string): string[] {
  return disks.map(({ format }, index) => {
    const path = join(directory, `${machine}-${index}.${format}`);
    spawnSync(process.execPath, [binViv, 'disk', 'create', path, `${DISK_MIB}M`]);
    return path;
  });
}

const vivarium = [
  ...[process.execPath, binViv, 'run', '--kernel', files.kernel, '--initrd', files.initrd],
  ...['--cmdline', files.cmdline, '--memory', files.memory, '--engine', options.engine],
  ...images('vivarium').flatMap((path, index) => ['--disk', `${path},bus=${disks[index]?.bus}`]),
];
const qemu = [
  ...qemuCommand(files),
  ...images('qemu').flatMap((path, index) => {
    const { bus, format } = disks[index] as (typeof disks)[number];
    const device = bus === 'nvme' ? 'nvme,serial=one' : 'virtio-blk-pci';
    const drive = `id=d${index},file=${path},format=${format},if=none`;
    return ['-drive', drive, '-device', `${device},drive=d${index}`];
  }),
];
const peer = qemuVersion();

/** Words for fio, and the bytes of one unit. */
const kinds = {
  'write in a row, MiB': ['--rw=write --bs=1M --iodepth=4', 2 ** 20],
  'read in a row, MiB': ['--rw=read --bs=1M --iodepth=4', 2 ** 20],
  'read at random, 4 KiB': ['--rw=randread --bs=4k --iodepth=16', 4096],
  'write at random, 4 KiB': ['--rw=randwrite --bs=4k --iodepth=16', 4096],
  'read at random one by one, 4 KiB': ['--rw=randread --bs=4k --iodepth=1', 4096],
} as const;

const workloads: Record<string, SessionWorkload> = {};
for (const { name, device } of disks) {
  for (const [kind, [words, unit]] of Object.entries(kinds)) {
    workloads[`${name}: ${kind}`] = async (session, timed) => {
      const job = `--name=job --filename=/dev/${device} --size=${USED_MIB}M --direct=1 --ioengine=libaio`;
      const fio = (seconds: number) =>
        session.run(`fio ${job} ${words} --time_based --runtime=${seconds} --output-format=terse`);
      await fio(WARM_SECONDS);
      await timed(async () => {
        const { text } = await fio(RUN_SECONDS);
        return readTerse(text, words.includes('read') ? 'read' : 'write', unit);
      });
    };
  }
}

/** What a line of fio's terse output, version 3, says of one direction. */
function readTerse(text: string, direction: 'read' | 'write', unit: number): Done {
  const line = text.split('\n').find((each) => each.startsWith('3;'));
  if (line === undefined) throw new Error(`fio has failed: ${text}`);
  // KiB, KiB/s, requests/s, milliseconds: fields 6 to 9, of writes 47 to 50
  const first = direction === 'read' ? 5 : 46;
  const fields = line
    .split(';')
    .slice(first, first + 4)
    .map(Number);
  return { amount: ((fields[0] as number) * 1024) / unit, seconds: (fields[3] as number) / 1000 };
}

const commands = { vivarium, ...(peer === undefined ? {} : { qemu }) };
const samples = await measureSessions({ commands, workloads, prompt: 'vivarium:~# ', options });
console.log(`Disks, more is better, medians of ${options.runs}:\n`);
console.log(compareSessions(samples, 'vivarium', 'qemu', `QEMU ${peer ?? ''}`));
const result = { date: new Date().toISOString(), host, peer, commands, samples };
console.log(`\nSaved to ${save('disk', result, options.json)}`);
process.exit(0);

function place(name: string, contents: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, contents);
  return path;
}
