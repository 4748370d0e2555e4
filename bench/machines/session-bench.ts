/** Measures the same work in guests of several machines, in turns: wall time and the host's processor time. */
import { Session } from '../../test/guests/session.ts';
import { type BenchOptions, restIfFilling } from '../options.ts';
import { median } from '../report/statistics.ts';
import { cell, table } from '../report/table.ts';
import { cpuSeconds } from './process-usage.ts';

/** What was done, and the time it took, in seconds, if the guest knows better. */
export interface Done {
  readonly amount: number;
  readonly seconds?: number;
}

/** Measures work. */
export type Timed = (work: () => Promise<Done>) => Promise<void>;

/** Work goes on for so long before it is measured: what a guest does for the first time is translated. */
export const WARM_SECONDS = 15;
/** ... and is measured for so long. */
export const RUN_SECONDS = 8;

/** Measures `work`, done again and again, once it is warm; it does `amount` each time. */
export async function timeWarm(
  timed: Timed,
  amount: number,
  work: () => Promise<unknown>,
): Promise<void> {
  await repeat(WARM_SECONDS, work);
  await timed(async () => ({ amount: amount * (await repeat(RUN_SECONDS, work)) }));
}

async function repeat(seconds: number, work: () => Promise<unknown>): Promise<number> {
  const end = performance.now() + 1000 * seconds;
  let times = 0;
  do {
    await work();
    times++;
  } while (performance.now() < end);
  return times;
}

/** Prepares a guest that is at its prompt, and does the work within `timed`. */
export type SessionWorkload = (session: Session, timed: Timed) => Promise<void>;

export interface SessionSample {
  readonly workload: string;
  readonly name: string;
  readonly amount: number;
  readonly seconds: number;
  /** of all processors of the host, by the machine's process */
  readonly cpuSeconds: number;
}

export interface SessionBench {
  /** command lines by name */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** by name, with the unit of the work: `download, MiB` */
  readonly workloads: Readonly<Record<string, SessionWorkload>>;
  readonly prompt: string;
  readonly options: BenchOptions;
}

/** Runs everything, telling of each sample. */
export async function measureSessions(bench: SessionBench): Promise<SessionSample[]> {
  const { options } = bench;
  const names = Object.keys(bench.commands).filter((name) => options.subjects.includes(name));
  const samples: SessionSample[] = [];
  for (let run = 1; run <= options.runs; run++) {
    for (const name of names) {
      const [program = '', ...words] = bench.commands[name] ?? [];
      await using session = new Session(program, words);
      await session.expect(bench.prompt);
      for (const [workload, work] of Object.entries(bench.workloads)) {
        if (!workload.includes(options.only)) continue;
        const timed: Timed = async (timedWork) => {
          const processId = session.process.pid as number;
          const cpuBefore = cpuSeconds(processId);
          const start = performance.now();
          const { amount, seconds: told } = await timedWork();
          const seconds = told ?? (performance.now() - start) / 1000;
          const cpu = cpuSeconds(processId) - cpuBefore;
          samples.push({ workload, name, amount, seconds, cpuSeconds: cpu });
          const rate = `${cell(amount / seconds, 1)} a second, ${cell(amount / cpu, 1)} a CPU second`;
          console.error(`run ${run}: ${name}: ${workload}: ${rate}`);
        };
        await work(session, timed);
      }
      await restIfFilling(options);
      session.type('poweroff\n');
      await session.ended;
    }
  }
  return samples;
}

/** Medians of `ours` beside `theirs`, more is better; the last column is about processor time. */
export function compareSessions(
  samples: readonly SessionSample[],
  ours: string,
  theirs: string,
  peer: string,
): string {
  const rows = [...new Set(samples.map(({ workload }) => workload))].map((workload) => {
    const middle = (name: string, of: (sample: SessionSample) => number) =>
      median(samples.filter((one) => one.workload === workload && one.name === name).map(of));
    const wall = (name: string) => middle(name, ({ amount, seconds }) => amount / seconds);
    const cpu = (name: string) => middle(name, ({ amount, cpuSeconds: used }) => amount / used);
    const ratios = [wall(ours) / wall(theirs), cpu(ours) / cpu(theirs)];
    return [
      workload,
      ...[cell(wall(ours), 1), cell(wall(theirs), 1)],
      ...ratios.map((each) => cell(each)),
    ];
  });
  return table(['a second', 'Vivarium', peer, 'ratio', 'ratio, CPU'], rows);
}
