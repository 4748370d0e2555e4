/**
 * What `npm test` prints: the report of the runner, and the ten files that took longest above its
 * last lines. Next to the time that went by stands processor time, of the file and of the programs
 * it started: a file that computes little and takes long waits for something.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { spec as Spec } from 'node:test/reporters';

const SHOWN = 10;

interface Event {
  readonly type: string;
  readonly data: {
    readonly nesting?: number;
    readonly message?: string;
  };
}

/** The report of these events as text; `times` is the directory that `each-file.ts` writes to. */
export function report(events: AsyncIterable<Event>, times: string): NodeJS.ReadableStream {
  return Readable.from(withSlowest(events, times)).pipe(new Spec());
}

/** Passes everything on; says which files were slow before the first of the runner's last lines. */
async function* withSlowest(events: AsyncIterable<Event>, times: string): AsyncGenerator<Event> {
  let isSaid = false;
  for await (const event of events) {
    const { type, data } = event;
    const isLast = type === 'test:diagnostic' && data.nesting === 0;
    if (isLast && !isSaid && /^tests \d+$/.test(data.message ?? '')) {
      isSaid = true;
      for (const message of slowest(filesMeasured(times))) {
        yield { type: 'test:diagnostic', data: { ...data, message } };
      }
    }
    yield event;
  }
}

/** A file of tests: seconds by the clock, and on a processor. */
interface Measured {
  readonly file: string;
  readonly wall: number;
  readonly cpu: number;
}

function slowest(files: readonly Measured[]): string[] {
  if (files.length < 2) return [];
  const sorted = files.toSorted((left, right) => right.wall - left.wall);
  const cpu = files.reduce((sum, each) => sum + each.cpu, 0);
  return [
    'slowest files: seconds, of which on a processor, with the programs they started',
    ...sorted.slice(0, SHOWN).map((each) => `${show(each.wall)} ${show(each.cpu)}  ${each.file}`),
    `${' '.repeat(7)} ${show(cpu)}  all ${files.length} files together`,
  ];
}

function show(seconds: number): string {
  return seconds.toFixed(1).padStart(7);
}

/** What `each-file.ts` left. */
function filesMeasured(directory: string): Measured[] {
  return readdirSync(directory).map((name) => {
    const [file = '', wall, cpu] = readFileSync(join(directory, name), 'utf8').split('\n');
    return { file, wall: Number(wall), cpu: Number(cpu) };
  });
}
