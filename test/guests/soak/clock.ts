/**
 * Compares the default guest's clock with the host's over a minute of idling and a minute of work:
 * `npm run soak:clock [SECONDS]`. Ends with 1 if it strays by more than one per cent.
 */
import { readCommandLine, readNumber } from '../../command-line.ts';
import { Drift } from '../drift.ts';
import { runViv } from '../session.ts';

const LIMIT = 0.01;
const help = `Usage: npm run soak:clock [-- SECONDS]

Compares the default guest's clock with the host's over SECONDS of idling and SECONDS of work, 60 unless told.
Ends with 1 if it strays by more than one per cent.
`;
const { positionals } = readCommandLine(help, { allowPositionals: true });
const seconds = readNumber(positionals[0] ?? '60', 'SECONDS');
let isGood = true;

await using viv = runViv([]);
await viv.expect('vivarium:~# ');
const busy = `timeout ${seconds} sh -c 'while :; do :; done'`;
for (const [what, line] of [
  ['idle', `sleep ${seconds}`],
  ['busy', busy],
] as const) {
  const drift = await Drift.begin(viv);
  await viv.run(line, seconds * 3);
  const { seconds: measured, parts, uncertainty } = await drift.end(viv);
  const percent = (value: number) => `${(value * 100).toFixed(3)} %`;
  console.log(
    `${what}: over ${measured.toFixed(1)} s the guest's clock was ahead by ${percent(parts)} ` +
      `(known to ${percent(uncertainty)})`,
  );
  isGood &&= Math.abs(parts) < LIMIT;
}
viv.type('poweroff\n');
await viv.ended;
process.exit(isGood ? 0 : 1);
