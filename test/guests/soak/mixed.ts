/**
 * Half an hour of mixed work in one guest: a compiler, gzip and xz, python, a shell, and files; then a
 * report of its health. `npm run soak [-- --minutes N] [--engine NAME]`. Every task's output must be the
 * same each time, the memory of the host must stay flat in the last third, the guest must answer to
 * the end and the host must report no error. Ends with 1 otherwise.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImage } from '../../../bench/image/build.ts';
import { cpuSeconds, residentMebibytes } from '../../../bench/machines/process-usage.ts';
import { defaultGuest } from '../../../src/platform/node/mod.ts';
import { readCommandLine, readNumber } from '../../command-line.ts';
import { binViv, Session } from '../session.ts';

const help = `Usage: npm run soak [-- options]

Mixed work in one guest, and a report of its health. Ends with 1 if something is not as it should be.

  --minutes N     for so long; 30
  --engine NAME   bt, interp or reference; auto
  --help          prints this help
`;
const { values } = readCommandLine(help, {
  options: {
    minutes: { type: 'string', default: '30' },
    engine: { type: 'string', default: 'auto' },
  },
});
const minutes = readNumber(values.minutes, '--minutes');
/** A task that takes longer hangs; seconds of a host that may be busy. */
const PATIENCE = 1200;
/** How much more memory the host may give at the end than in the first two thirds, in MiB. */
const GROWTH = 150;

const TASKS: Readonly<Record<string, string>> = {
  compile:
    'for f in sort sha256 words; do gcc -O2 -c -o /tmp/$f.o source/$f.c || exit 1; done; md5sum /tmp/*.o',
  gzip: '/usr/bin/gzip -n -6 <text | /usr/bin/gzip -d | md5sum; /usr/bin/gzip -n -6 <text | md5sum',
  xz: 'head -c 300000 text | /usr/bin/xz -3 -T1 -c | /usr/bin/xz -d | md5sum',
  python: 'python3 objects.py 1',
  shell: 'i=0; while [ $i -lt 8000 ]; do i=$((i + 1)); done; echo $i; ls -l /usr/bin | wc -l',
  processes: 'for i in $(seq 60); do /bin/true; done; seq 1 3000 | sort -rn | head -n 1',
  files:
    'mkdir /tmp/t; cp -r source /tmp/t; tar -cf - -C /tmp/t . | md5sum | wc -c; find /tmp/t | wc -l; rm -r /tmp/t; df /tmp | wc -l',
};

const image = await buildImage([...['python3-minimal', 'gcc', 'libc6-dev', 'xz-utils', 'gzip']]);
const directory = mkdtempSync(join(tmpdir(), 'vivarium-soak-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const kernel = join(directory, 'vmlinux');
writeFileSync(kernel, (await defaultGuest()).kernel);

const problems: string[] = [];
const complain = (what: string) => {
  problems.push(what);
  console.log(`PROBLEM: ${what}`);
};

await using viv = new Session(process.execPath, [
  ...[binViv, 'run', '--kernel', kernel, '--initrd', image.initrd, '--memory', '1G'],
  ...['--cmdline', 'console=ttyS0 quiet mitigations=off', '--no-reboot'],
  ...['--engine', values.engine, '--stats', join(directory, 'stats.json')],
]);
const { pid } = viv.process;
if (pid === undefined) throw new Error('viv does not start');
await viv.expect(/@ready [^@]*@/, PATIENCE);
const start = performance.now();
const elapsed = () => (performance.now() - start) / 60_000;
const expected = new Map<string, string>();
let [rounds, early] = [0, 0];

while (elapsed() < minutes && problems.length === 0) {
  const times: string[] = [];
  for (const [name, line] of Object.entries(TASKS)) {
    const began = performance.now();
    try {
      viv.type(`${name} ${line}\n`);
      const done = await viv.expect(new RegExp(`@done ${name} (\\d+)@\r*\n`), PATIENCE);
      const printed = await viv.expect(new RegExp(`^([^]*?)@printed ${name}@`), PATIENCE);
      const output = (printed[1] as string).replaceAll('\r', '');
      if (done[1] !== '0') complain(`${name} ended with ${done[1]}: ${output.slice(0, 500)}`);
      if ((expected.get(name) ?? output) !== output)
        complain(`${name} printed "${output}" and before "${expected.get(name)}"`);
      expected.set(name, output);
    } catch (error) {
      complain(`${name}: ${error instanceof Error ? error.message : error}`);
      break;
    }
    times.push(`${name} ${((performance.now() - began) / 1000).toFixed(1)}`);
  }
  rounds++;
  if (problems.length > 0) break;
  const { now } = residentMebibytes(pid);
  // Caches of the guest and of the translator fill first.
  if (elapsed() < (2 * minutes) / 3 || rounds < 3) early = Math.max(early, now);
  console.log(
    `${elapsed().toFixed(1)} min, round ${rounds}, ${now.toFixed(0)} MiB resident; ${times.join(', ')} s`,
  );
}

const cpu = cpuSeconds(pid);
const { now, most } = residentMebibytes(pid);
if (now > early + GROWTH)
  complain(`memory grew from ${early.toFixed(0)} to ${now.toFixed(0)} MiB in the last third`);
viv.type('off\n');
const ending = await Promise.race([viv.ended, sleep(60_000)]);
if (ending === undefined) complain('the guest does not power off');
else if (ending.code !== 0) complain(`viv ended with ${ending.code}`);
if (viv.errors !== '') complain(`viv said: ${viv.errors}`);
console.log(
  `${problems.length === 0 ? 'healthy' : 'NOT HEALTHY'}: ${rounds} rounds in ${elapsed().toFixed(1)} ` +
    `minutes, ${cpu.toFixed(0)} s of processor time, ${early.toFixed(0)} MiB resident in the first ` +
    `two thirds, ${now.toFixed(0)} at the end, ${most.toFixed(0)} at most`,
);
process.exit(problems.length === 0 ? 0 : 1);
