/**
 * 32-bit programs on the bare machine, as multiboot kernels, in Vivarium, QEMU and v86 in turns: what v86,
 * which has no 64-bit processor, can be compared by. `npm run bench -- bare --help` lists options.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binViv, Session } from '../test/guests/session.ts';
import { BARE_PROGRAMS, buildBare } from './bare/build.ts';
import { cpuSeconds } from './machines/process-usage.ts';
import { qemuVersion } from './machines/qemu.ts';
import { describeHost, readOptions } from './options.ts';
import { save } from './report/save.ts';
import { geometricMean, median } from './report/statistics.ts';
import { cell, table } from './report/table.ts';

interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly output: string;
}

const PATIENCE_SECONDS = 300;
const options = readOptions();
const host = describeHost();
const peers = { qemu: qemuVersion(), v86: v86Version() };
const { engine, runs } = options;

/** How each subject runs a kernel; CPU time counts from `@start@` on, as wall time does. */
const commands: Readonly<Record<string, (kernel: string) => string[]>> = {
  vivarium: (kernel) => [
    ...[process.execPath, binViv, 'run', '--kernel', kernel, '--memory', '64M'],
    ...['--engine', engine, '--debug-exit'],
  ],
  qemu: (kernel) => [
    ...['qemu-system-x86_64', '-M', 'pc', '-accel', 'tcg', '-m', '64', '-nodefaults'],
    ...['-display', 'none', '-serial', 'stdio', '-kernel', kernel],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  ],
  v86: (kernel) => [process.execPath, join(import.meta.dirname, 'bare/v86-process.ts'), kernel],
};

const wanted = options.subjects.includes('native') ? Object.keys(commands) : options.subjects;
const subjects = wanted.filter((name) => {
  if (commands[name] === undefined) return false;
  return name === 'vivarium' || peers[name as keyof typeof peers] !== undefined;
});
const programs = BARE_PROGRAMS.filter((name) => name.includes(options.only));
if (programs.length === 0) {
  console.error(`No program is called ${options.only}.`);
  process.exit(1);
}

const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const samples: Record<string, Record<string, Sample[]>> = {};
let isWrong = false;
for (const program of programs) {
  const kernel = buildBare(program, directory);
  const ofProgram: Record<string, Sample[]> = {};
  samples[program] = ofProgram;
  for (let run = 1; run <= runs; run++) {
    for (const subject of subjects) {
      const list = ofProgram[subject] ?? [];
      ofProgram[subject] = list;
      list.push(await measure(commands[subject]?.(kernel) as string[]));
    }
  }
  const outputs = new Set(Object.values(ofProgram).flatMap((list) => list.map((s) => s.output)));
  if (outputs.size > 1) {
    console.error(`${program}: results differ: ${[...outputs].join(', ')}`);
    isWrong = true;
  }
  const times = subjects.map((each) => `${each} ${cpu(program, each).toFixed(2)} s`);
  console.error(`${program}: ${times.join(', ')} of processor time`);
}

const against = subjects.filter((name) => name !== 'vivarium');
const speeds = (program: string) =>
  against.map((each) => cpu(program, each) / cpu(program, 'vivarium'));
const rows = programs.map((program) => [
  program,
  ...subjects.map((each) => cell(cpu(program, each), 3)),
  ...speeds(program).map((ratio) => cell(ratio)),
]);
const means = against.map((_, index) =>
  cell(geometricMean(programs.map((program) => speeds(program)[index] ?? Number.NaN))),
);
rows.push(['**all**', ...subjects.map(() => ''), ...means]);
console.log(
  `Medians of ${runs}, seconds of processor time; QEMU ${peers.qemu ?? '(absent)'}, v86 ${peers.v86 ?? '(absent)'}:\n`,
);
console.log(table(['', ...subjects, ...against.map((each) => `speed to ${each}`)], rows));
const date = new Date().toISOString();
const result = { date, host, peers, engine, runs, samples };
console.log(`\nSaved to ${save('bare', result, options.json)}`);
process.exit(isWrong ? 1 : 0);

function cpu(program: string, subject: string): number {
  return median((samples[program]?.[subject] ?? []).map((sample) => sample.cpu));
}

/** Runs a kernel and measures it between the two lines that it prints. */
async function measure([program = '', ...words]: string[]): Promise<Sample> {
  await using session = new Session(program, words);
  const pid = session.process.pid as number;
  await session.expect('@start@', PATIENCE_SECONDS);
  const [startWall, startCpu] = [performance.now(), cpuSeconds(pid)];
  const result = session.expect(/([0-9a-f]{16})\r?\n@done@/, PATIENCE_SECONDS);
  // A machine ends right after its last line: what it has used is looked at until then.
  let used = 0;
  const watch = setInterval(() => {
    used = readCpu(pid, used);
  }, 10);
  const [, output = ''] = await result;
  const wall = (performance.now() - startWall) / 1000;
  used = readCpu(pid, used);
  clearInterval(watch);
  return { wall, cpu: used - startCpu, output };
}

function readCpu(pid: number, before: number): number {
  try {
    return cpuSeconds(pid);
  } catch {
    return before;
  }
}

function v86Version(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    return (require('v86/package.json') as { version: string }).version;
  } catch {
    return undefined;
  }
}
