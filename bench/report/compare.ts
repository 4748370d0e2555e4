/** The table of workloads: each subject's time, and the ratios that matter. */
import type { Sample } from '../machines/subject.ts';
import type { Workload } from '../workloads.ts';
import { geometricMean, median } from './statistics.ts';
import { cell, table } from './table.ts';

type Samples = Readonly<Record<string, Readonly<Record<string, readonly Sample[]>>>>;

/** One row: seconds and ratios, NaN where unknown. */
interface Row {
  readonly name: string;
  readonly group: string;
  readonly times: Readonly<Record<string, { wall: number; cpu: number }>>;
  /** millions of guest instructions a second of processor time */
  readonly rate: number;
}

const SUBJECTS = ['native', 'vivarium', 'qemu'] as const;

/** Renders one row a workload and one for each group and for all, with geometric means. */
export function compare(chosen: readonly Workload[], samples: Samples): string {
  const rows = chosen.map((workload) => summarize(workload, samples[workload.name] ?? {}));
  const groups = [...new Set(rows.map(({ group }) => group))];
  const lines = groups.flatMap((group) => {
    const members = rows.filter((row) => row.group === group);
    return [...members.map(render), renderMean(`**${group}**`, members)];
  });
  if (groups.length > 1) lines.push(renderMean('**all**', rows));
  const titles = [
    '',
    'native',
    'Vivarium',
    'QEMU',
    '/native',
    'QEMU/native',
    'speed',
    'speed, CPU',
    'MIPS',
  ];
  return table(titles, lines);
}

function summarize(
  { name, group }: Workload,
  bySubject: Readonly<Record<string, readonly Sample[]>>,
): Row {
  const times = Object.fromEntries(
    SUBJECTS.map((subject) => {
      const list = (bySubject[subject] ?? []).filter(({ status }) => status === 0);
      const wall = median(list.map((sample) => sample.wall));
      return [subject, { wall, cpu: median(list.map((sample) => sample.cpu)) }];
    }),
  );
  const rates = (bySubject['vivarium'] ?? []).map(
    ({ instructions, cpu }) => (instructions ?? Number.NaN) / cpu / 1e6,
  );
  return { name, group, times, rate: median(rates) };
}

const wall = (row: Row, subject: (typeof SUBJECTS)[number]): number =>
  row.times[subject]?.wall ?? Number.NaN;
const cpu = (row: Row, subject: (typeof SUBJECTS)[number]): number =>
  row.times[subject]?.cpu ?? Number.NaN;

const slowdown = (row: Row): number => wall(row, 'vivarium') / wall(row, 'native');
const peerSlowdown = (row: Row): number => wall(row, 'qemu') / wall(row, 'native');
const speed = (row: Row): number => wall(row, 'qemu') / wall(row, 'vivarium');
const cpuSpeed = (row: Row): number => cpu(row, 'qemu') / cpu(row, 'vivarium');

function render(row: Row): string[] {
  const times = SUBJECTS.map((subject) => cell(wall(row, subject), 3));
  const ratios = [slowdown(row), peerSlowdown(row), speed(row), cpuSpeed(row)];
  return [row.name, ...times, ...ratios.map((ratio) => cell(ratio)), cell(row.rate, 0)];
}

function renderMean(name: string, rows: readonly Row[]): string[] {
  const ratios = [slowdown, peerSlowdown, speed, cpuSpeed];
  const means = ratios.map((ratio) => cell(geometricMean(rows.map(ratio))));
  return [name, '', '', '', ...means, ''];
}
