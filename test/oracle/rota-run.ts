import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { command, type Errand, type Report, ROTA } from './rota.ts';

/** Takes the turns of `ROTA` on all processors for so many seconds; prints what differs. Returns the count. */
export async function runRota(seconds: number, firstSeed: number): Promise<number> {
  const start = performance.now();
  const compared = new Map<string, number>();
  let different = 0;
  let unsteady = 0;
  let turn = 0;
  const next = (): Errand => {
    const seed = (firstSeed + Math.floor(turn / ROTA.length)) >>> 0;
    return { ...(ROTA[turn++ % ROTA.length] as (typeof ROTA)[number]), seed };
  };
  const elapsed = () => (performance.now() - start) / 1000;
  const work = async () => {
    const worker = new Worker(new URL('./rota-worker.ts', import.meta.url));
    while (elapsed() < seconds) {
      worker.postMessage(next());
      const [report] = (await once(worker, 'message')) as [Report];
      const { errand, failures } = report;
      const what = `${errand.engine}, ${errand.bits} bits${errand.raw ? ', random bytes' : ''}`;
      compared.set(what, (compared.get(what) ?? 0) + errand.cases);
      different += report.different;
      unsteady += report.unsteady;
      if (failures.length > 0) console.log(`${command(errand)}\n${failures.join('\n')}`);
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const total = [...compared.values()].reduce((sum, count) => sum + count, 0);
  for (const [what, count] of compared) console.log(`${String(count).padStart(10)}  ${what}`);
  console.log(
    `${total} comparisons with the host's processor in ${elapsed().toFixed(0)} s ` +
      `(${((total / elapsed()) * 3.6e-3).toFixed(1)} million an hour), ${different} differ, ${unsteady} did until the host was asked again`,
  );
  return different;
}
