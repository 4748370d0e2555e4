/**
 * Boots the default guest many times in a row, from nothing to the prompt and off again, and says
 * how it went: `npm run soak:boots [COUNT]`, 20 unless told. Ends with 1 if a boot failed.
 */
import { readCommandLine, readNumber } from '../../command-line.ts';
import { runViv } from '../session.ts';

const help = `Usage: npm run soak:boots [-- COUNT]

Boots the default guest COUNT times, 20 unless told, and says how it went. Ends with 1 if a boot failed.
`;
const { positionals } = readCommandLine(help, { allowPositionals: true });
const count = readNumber(positionals[0] ?? '20', 'COUNT');
const toPrompt: number[] = [];
let failures = 0;

for (let number = 1; number <= count; number++) {
  const start = performance.now();
  await using viv = runViv(['--timeout', '300']);
  try {
    await viv.expect('vivarium:~# ');
    const seconds = (performance.now() - start) / 1000;
    const sum = await viv.run("seq 1 100 | awk '{ s += $1 } END { print s }'");
    if (sum.text !== '5050\n') throw new Error(`5050 came out as ${sum.text}`);
    viv.type('poweroff\n');
    const { code, errors } = await viv.ended;
    if (code !== 0) throw new Error(`exit code ${code}: ${errors}`);
    toPrompt.push(seconds);
    console.log(`boot ${number}: prompt after ${seconds.toFixed(1)} s`);
  } catch (error) {
    failures++;
    console.log(`boot ${number}: FAILED: ${error instanceof Error ? error.message : error}`);
  }
}
toPrompt.sort((left, right) => left - right);
const median = toPrompt[Math.floor(toPrompt.length / 2)]?.toFixed(1);
console.log(
  `${count - failures} of ${count} boots; to the prompt ${toPrompt[0]?.toFixed(1)} to ` +
    `${toPrompt.at(-1)?.toFixed(1)} s, median ${median} s`,
);
process.exit(failures === 0 ? 0 : 1);
