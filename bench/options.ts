/** The options that all benchmarks take: `npm run bench -- [WORD] [options]`. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultCacheDirectory } from '../src/platform/node/mod.ts';
import { readCommandLine } from '../test/command-line.ts';

const help = `Options of the benchmarks (after \`npm run bench --\`, first a word to choose benchmarks: bare, boot, disk,
folders, network, programs):
  --runs N           measure each N times and take medians; 5
  --only TEXT        only workloads whose name or group contains it
  --subjects LIST    of native,vivarium,qemu; all
  --engine NAME      engine of Vivarium; auto
  --archive HOW      translated code of earlier runs: none; fill the benchmarks' archive with it (measures
                     little: guests rest at the end, so that more is compiled); use what is there; none
  --packages no      without programs of Debian packages in the guest
  --json FILE        where to save all samples; bench/results/NAME-DATE.json
`;

export interface BenchOptions {
  readonly runs: number;
  readonly only: string;
  readonly subjects: readonly string[];
  readonly engine: string;
  /** the guest is given time to have its code compiled for later runs */
  readonly fillsArchive: boolean;
  readonly hasPackages: boolean;
  readonly json: string | undefined;
}

export function readOptions(): BenchOptions {
  const { values } = readCommandLine(help, {
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      subjects: { type: 'string', default: 'native,vivarium,qemu' },
      engine: { type: 'string', default: 'auto' },
      archive: { type: 'string', default: 'none' },
      packages: { type: 'string', default: 'yes' },
      json: { type: 'string' },
    },
  });
  const archive = join(defaultCacheDirectory(), 'bench-code');
  const archives: Record<string, string> = {
    none: 'none',
    fill: archive,
    use: `${archive},readonly`,
  };
  const place = archives[values.archive];
  if (place === undefined) {
    console.error('--archive is none, fill or use');
    process.exit(1);
  }
  // All machines of a benchmark inherit it.
  process.env['VIVARIUM_CODE_ARCHIVE'] = place;
  return {
    fillsArchive: values.archive === 'fill',
    runs: Math.max(1, Number(values.runs) || 1),
    only: values.only,
    subjects: values.subjects.split(','),
    engine: values.engine,
    hasPackages: values.packages !== 'no',
    json: values.json,
  };
}

/** Guests rest so long that what they ran is compiled for later runs. */
const REST_MILLISECONDS = 60_000;

/** Lets guests rest before they end, if that is wanted. */
export async function restIfFilling({ fillsArchive }: BenchOptions): Promise<void> {
  if (fillsArchive) await sleep(REST_MILLISECONDS);
}

/** Says what the numbers were measured on, and whether something else was running. */
export function describeHost(): {
  processor: string;
  processors: number;
  node: string;
  load: number;
} {
  const load = loadavg()[0] as number;
  if (load > 0.5) {
    console.error(
      `The host is busy (load ${load.toFixed(1)}): times will be too long and the ratios unreliable.`,
    );
  }
  const processor = cpus()[0]?.model.trim() ?? 'unknown';
  return { processor, processors: availableParallelism(), node: process.version, load };
}
