/**
 * Runs the same programs on the host itself, in Vivarium and in QEMU, in turns, and prints how they
 * compare. All three have the same files; machines are booted once and stay. `npm run bench --
 * programs --help` lists options.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultGuest } from '../src/platform/node/mod.ts';
import { type BenchImage, buildImage } from './image/build.ts';
import { Guest } from './machines/guest.ts';
import { Native } from './machines/native.ts';
import { type BootFiles, qemuVersion } from './machines/qemu.ts';
import type { Sample, Subject } from './machines/subject.ts';
import { describeHost, readOptions, restIfFilling } from './options.ts';
import { compare } from './report/compare.ts';
import { save } from './report/save.ts';
import { type Workload, workloads } from './workloads.ts';

const options = readOptions();
const host = describeHost();
const peer = qemuVersion();

const wanted = options.hasPackages ? workloads.flatMap(({ packages }) => packages ?? []) : [];
const image = await buildImage([...new Set(wanted)]);
const chosen = workloads.filter(isPossible).filter(isChosen);
if (chosen.length === 0) {
  console.error(`No workload is called ${options.only}.`);
  process.exit(1);
}
await using stack = new AsyncDisposableStack();
const subjects = await startSubjects(stack, image);
/** by workload, then by subject */
const samples = Object.fromEntries(
  chosen.map(({ name }) => [
    name,
    Object.fromEntries(subjects.map((each) => [each.name, [] as Sample[]])),
  ]),
);
let isWrong = false;

for (let run = 1; run <= options.runs; run++) {
  for (const workload of chosen) {
    const rounds: string[] = [];
    for (const subject of subjects) {
      const sample = await subject.run(workload);
      samples[workload.name]?.[subject.name]?.push(sample);
      rounds.push(`${subject.name} ${sample.wall.toFixed(2)} s`);
    }
    console.error(`run ${run}: ${workload.name}: ${rounds.join(', ')}`);
    isWrong = !agree(workload) || isWrong;
  }
}

await restIfFilling(options);

const memory = Object.fromEntries(subjects.map((subject) => [subject.name, subject.resident()]));
const { runs, engine } = options;
console.log(`Medians of ${runs}; times in seconds; speed is against QEMU ${peer ?? '(absent)'}:\n`);
console.log(compare(chosen, samples));
for (const [name, resident] of Object.entries(memory)) {
  if (resident) console.log(`\n${name}: at most ${resident.toFixed(0)} MiB resident`);
}
const { packages, compiler } = image;
const date = new Date().toISOString();
const result = { date, host, peer, engine, runs, compiler, packages, memory, samples };
console.log(`\nSaved to ${save('programs', result, options.json)}`);
process.exitCode = isWrong ? 1 : 0;

function isPossible({ packages }: Workload): boolean {
  return packages === undefined || image.packages.length > 0;
}

function isChosen({ name, group }: Workload): boolean {
  return name.includes(options.only) || group === options.only;
}

/** Says so when a workload failed, or printed something else on one subject than on another. */
function agree({ name }: Workload): boolean {
  const all = Object.entries(samples[name] ?? {});
  const expected = all[0]?.[1][0]?.output;
  let isRight = true;
  for (const [subject, list] of all) {
    const { status, output } = list.at(-1) as Sample;
    if (status === 0 && output === expected) continue;
    console.error(`${name}: ${subject} ended with ${status} and printed: ${output.slice(0, 500)}`);
    isRight = false;
  }
  return isRight;
}

async function startSubjects(stack: AsyncDisposableStack, image: BenchImage): Promise<Subject[]> {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const kernel = join(directory, 'vmlinux');
  writeFileSync(kernel, (await defaultGuest()).kernel);
  const files: BootFiles = {
    kernel,
    initrd: image.initrd,
    cmdline: 'console=ttyS0 quiet mitigations=off',
    memory: '1G',
  };
  const started: Subject[] = [];
  const has = (name: string) => options.subjects.includes(name);
  if (has('native')) {
    const native = new Native(image.tree);
    const problem = native.check();
    if (problem === undefined) started.push(native);
    else console.error(`No native runs: ${problem}`);
  }
  if (has('vivarium')) started.push(stack.use(await Guest.vivarium(files, options.engine)));
  if (has('qemu') && peer !== undefined) started.push(stack.use(await Guest.qemu(files)));
  return started;
}
