/** Long differential runs against the host's own processor: `HELP` tells how. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instructions } from '../../src/x86/mod.ts';
import { readCommandLine, readNumber } from '../command-line.ts';
import { listing } from './compare.ts';
import { type EngineName, EngineProcessor } from './engine-processor.ts';
import { dataImage, type GeneratedCase, generateCase } from './generate.ts';
import { describeFailure, hunt, minimise } from './hunt.ts';
import { skipReason } from './knowledge.ts';
import { NativeProcessor } from './native-processor.ts';
import type { Processor } from './processor.ts';
import { generateRawCase } from './raw.ts';
import { runRota } from './rota-run.ts';
import { matches, type Template, templatesOf } from './templates.ts';

const HELP = `Usage: node test/oracle/fuzz.ts [options]

Compares our engines with this host's own processor, instruction by instruction. Without more than
these two, all engines and modes run in turn, on all cores:

  --seconds N    for so long; 20
  --seed S       seed of the cases; by the clock

What that finds it prints with a command that runs one engine in one mode:

  --cases N      runs so many cases; 100000
  --engine NAME  handlers (the default), regions or reference
  --bits N       64-bit code (the default) or 32
  --only WORD    forms whose opcode or name has WORD in it (add, 0F 38), or with that attribute (sse, fpu,
                 cpuid:sse4_1)
  --raw          random bytes instead of instructions made from the forms
  --case K       runs one case of the seed and prints it whole; give the same --only as the run that found it
  --show N       prints at most so many failures; 20
  --check        compares with our own reference, on any host: regions, translated before they first run,
                 and the reference execute the same programs side by side

  --help         prints this help

The exit code is 1 when something differs.
`;

const { values } = readCommandLine(HELP, {
  options: {
    seconds: { type: 'string', default: '20' },
    cases: { type: 'string', default: '100000' },
    engine: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
    case: { type: 'string' },
    bits: { type: 'string', default: '64' },
    raw: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    show: { type: 'string', default: '20' },
  },
});
const seconds = readNumber(values.seconds, '--seconds');
const seed = readNumber(values.seed, '--seed');
const cases = readNumber(values.cases, '--cases');
const show = readNumber(values.show, '--show');
const single = values.case === undefined ? undefined : readNumber(values.case, '--case');
if (values.bits !== '32' && values.bits !== '64') {
  console.error(`There is no code of ${values.bits} bits to compare; --bits is 64 or 32.`);
  process.exit(1);
}
const bits = values.bits === '32' ? 32 : 64;
const host = NativeProcessor.open();
if (typeof host === 'string' && !values.check) {
  console.error(`The oracle ${host}; --check asks our own reference instead.`);
  process.exit(1);
}
/** A processor with everything that instructions may ask for. */
class EveryFeature extends Set<string> {
  override has(): boolean {
    return true;
  }
}
const features = typeof host === 'string' ? new EveryFeature() : host.features;
const native: Processor =
  values.check || typeof host === 'string' ? new EngineProcessor('reference') : host;
const company = templatesOf(instructions).filter((each) => !skipReason(each, features, bits));
const only = values.only?.toLowerCase();
const templates =
  only === undefined
    ? company
    : company.filter((each) => each.instruction.name === only || matches(each, only));
if (templates.length === 0) {
  console.error(`No form matches "${only}".`);
  process.exit(1);
}
const make = (number: number) =>
  values.raw
    ? generateRawCase(seed, number, features, bits)
    : generateCase(seed, number, templates, company, bits);

if (isLongRun()) process.exit((await runRota(seconds, seed)) === 0 ? 0 : 1);

const processor = open(values.engine ?? (values.check ? 'regions' : 'handlers'));
if (single !== undefined) showOne(native, processor, single, templates);
else huntAll(native, processor, cases, templates);

/** Without a word about engine, mode or cases, everything is run. */
function isLongRun(): boolean {
  const single = /^--(cases|engine|only|case|bits|raw|show|check)\b/;
  return !process.argv.slice(2).some((word) => single.test(word));
}

function open(name: string): Processor {
  if (name === 'handlers' || name === 'reference' || name === 'regions') {
    return new EngineProcessor(name as EngineName);
  }
  console.error(`No engine "${name}"; there are handlers, regions and reference.`);
  process.exit(1);
}

function huntAll(
  native: Processor,
  processor: Processor,
  count: number,
  templates: readonly Template[],
): void {
  const start = performance.now();
  const result = hunt({
    native,
    processor,
    seed,
    from: 0,
    count,
    bits,
    templates,
    company,
    make,
    progress: (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${done} cases`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r');
  for (const failure of result.failures.slice(0, show)) {
    console.log(describeFailure(failure, seed));
    if (failure.first.templates.length === 1) continue;
    const smallest = minimise(native, processor, failure.first, seed);
    console.log(`  it takes:\n${listing(smallest).replaceAll(/^(?!90( 90)*$)/gm, '    ')}`);
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${processor.name} beside ${native.name}: ${result.cases} cases over ${templates.length} forms, seed ${seed}, ` +
      `${result.different} differ in ${result.failures.length} ways, ${result.unsteady} until asked again; ${seconds.toFixed(1)} s`,
  );
  process.exitCode = result.different === 0 ? 0 : 1;
}

function showOne(
  native: Processor,
  processor: Processor,
  number: number,
  templates: readonly Template[],
): void {
  const each = make(number);
  console.log(each.templates.map(({ label }) => label).join('\n'));
  console.log(disassemble(each));
  for (const { offset, bytes } of each.patches) {
    console.log(`data +0x${offset.toString(16)}: ${Buffer.from(bytes).toString('hex')}`);
  }
  const image = dataImage(seed);
  const [expected] = native.run([each], image);
  if (expected === undefined) return;
  console.log(`${native.name}: vector ${expected.vector}`);
  for (const line of each.state.differences(expected.state)) console.log(`  ${line}`);
  const { failures } = hunt({
    native,
    processor,
    seed,
    from: number,
    count: 1,
    bits,
    templates,
    company,
    make,
  });
  for (const failure of failures) console.log(describeFailure(failure, seed));
  if (failures.length === 0) console.log(`${processor.name} agrees`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** The case's instructions through objdump, where there is one. */
function disassemble(each: GeneratedCase): string {
  const folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  try {
    const file = join(folder, 'code');
    const lead = Number(each.state.rip) - each.codeAddress;
    writeFileSync(file, each.code.subarray(lead));
    const machine = bits === 64 ? 'i386:x86-64' : 'i386';
    const options = ['-D', '-b', 'binary', '-m', machine, '-M', 'intel'];
    const listed = spawnSync('objdump', [...options, `--adjust-vma=${each.state.rip}`, file]);
    if (listed.status !== 0) return '(no objdump)';
    return String(listed.stdout)
      .split('\n')
      .filter((line) => /^\s*[0-9a-f]+:/.test(line))
      .slice(0, each.instructions.length + 1)
      .join('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
