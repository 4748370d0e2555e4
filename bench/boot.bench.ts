/**
 * Boots the same kernel and RAM disk under Vivarium and under QEMU, in turns: from the start of the
 * process to the shell's prompt, in wall time and in processor time; and Vivarium's speed in guest
 * instructions a second over the whole run. `npm run bench -- boot --help` lists options.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultGuest } from '../src/platform/node/mod.ts';
import { binViv, Session } from '../test/guests/session.ts';
import { cpuSeconds, residentMebibytes } from './machines/process-usage.ts';
import { type BootFiles, qemuCommand, qemuVersion, startQemu } from './machines/qemu.ts';
import { describeHost, readOptions, restIfFilling } from './options.ts';
import { save } from './report/save.ts';
import { median } from './report/statistics.ts';
import { cell, table } from './report/table.ts';

/** One boot. Seconds and MiB at the prompt. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly resident: number;
  readonly stats?: VivariumStats;
}

/** The part of `--stats` that is reported. */
interface VivariumStats {
  readonly instructions: number;
  readonly hostCpuSeconds: number;
  readonly compileSeconds: number;
  readonly tiers: { readonly handlers: number; readonly regions: number };
  readonly framesTouched: number;
}

const options = readOptions();
const host = describeHost();
const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const guest = await defaultGuest({ progress: (message) => console.error(message) });
const files: BootFiles = {
  kernel: place('vmlinux', guest.kernel),
  initrd: place('initrd', guest.initrd),
  cmdline: guest.cmdline,
  memory: '512M',
};
const statsFile = join(directory, 'stats.json');
const vivarium = [
  ...[binViv, 'run', '--kernel', files.kernel, '--initrd', files.initrd],
  ...['--cmdline', files.cmdline, '--memory', files.memory, '--engine', options.engine],
  ...['--serial', 'stdio', '--no-reboot', '--stats', statsFile],
];

const peer = qemuVersion();
const subjects: Record<string, () => Session> = {
  vivarium: () => new Session(process.execPath, vivarium),
  ...(peer === undefined ? {} : { qemu: () => startQemu(files) }),
};
if (peer === undefined)
  console.error('There is no QEMU to compare with (Debian: qemu-system-x86).');
const names = Object.keys(subjects).filter((name) => options.subjects.includes(name));
const samples: Record<string, Sample[]> = Object.fromEntries(names.map((name) => [name, []]));

for (let run = 1; run <= options.runs; run++) {
  for (const name of names) {
    const sample = await boot(name);
    samples[name]?.push(sample);
    const { wall, cpu } = sample;
    console.error(`run ${run}: ${name} ${cell(wall)} s, ${cell(cpu)} s of processor time`);
  }
}
report();

/** Boots to the prompt, measures, and powers off. */
async function boot(name: string): Promise<Sample> {
  const start = performance.now();
  await using session = (subjects[name] as () => Session)();
  await session.expect('vivarium:~# ');
  const wall = (performance.now() - start) / 1000;
  const processId = session.process.pid as number;
  const cpu = cpuSeconds(processId);
  const resident = residentMebibytes(processId).now;
  await restIfFilling(options);
  session.type('poweroff\n');
  await session.ended;
  const sample = { wall, cpu, resident };
  if (name !== 'vivarium') return sample;
  return { ...sample, stats: JSON.parse(readFileSync(statsFile, 'utf8')) };
}

function report(): void {
  const middle = (name: string, pick: (sample: Sample) => number | undefined): number =>
    median((samples[name] ?? []).map(pick).filter((value) => value !== undefined));
  const perSecond = ({ stats }: Sample) => stats && stats.instructions / stats.hostCpuSeconds / 1e6;
  const lines: [title: string, digits: number, pick: (sample: Sample) => number | undefined][] = [
    ['wall time to the prompt, s', 2, (sample) => sample.wall],
    ['processor time to the prompt, s', 2, (sample) => sample.cpu],
    ['resident memory at the prompt, MiB', 0, (sample) => sample.resident],
    ['guest instructions, millions', 0, ({ stats }) => stats && stats.instructions / 1e6],
    ['... a second of processor time, millions', 1, perSecond],
    ['... run by regions, %', 1, ({ stats }) => stats && regionShare(stats)],
    ['compiling, s', 2, ({ stats }) => stats?.compileSeconds],
    ['guest memory touched, MiB', 0, ({ stats }) => stats && stats.framesTouched / 256],
  ];
  const rows = lines.map(([title, digits, pick]) => {
    const [ours, theirs] = [middle('vivarium', pick), middle('qemu', pick)];
    return [title, cell(ours, digits), cell(theirs, digits), cell(ours / theirs)];
  });
  const { runs, engine } = options;
  console.log(`Boot of Linux ${guest.kernelVersion} to a shell, medians of ${runs}:\n`);
  console.log(table(['', 'Vivarium', `QEMU ${peer ?? ''}`, 'ratio'], rows));
  const commands = { vivarium: ['node', ...vivarium], qemu: qemuCommand(files) };
  const result = { date: new Date().toISOString(), host, peer, engine, commands, samples };
  console.log(`\nSaved to ${save('boot', result, options.json)}`);
}

function regionShare({ tiers, instructions }: VivariumStats): number {
  return (100 * tiers.regions) / instructions;
}

function place(name: string, contents: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, contents);
  return path;
}
