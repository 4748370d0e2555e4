/**
 * Many TCP connections through the user-mode network, from the TCP of this host's Linux to a server of this host:
 * a thousand at once, then one after the other: `npm run soak:connections [COUNT]`. Ends with 1 if one is lost, if
 * one is left behind, or if memory grows.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { UserNetwork } from '../../src/net/mod.ts';
import { readCommandLine, readNumber } from '../command-line.ts';
import { runScenario, whyNot } from './linux-peer.ts';

const MIB = 2 ** 20;
const AT_ONCE = 1000;
/** Connections that we ended first linger for two seconds. */
const REST = 4000;
/** What memory may grow by, once the first tenth has warmed everything up. */
const GROWTH = 8 * MIB;

const help = `Usage: npm run soak:connections [-- COUNT]

${AT_ONCE} TCP connections at once through the user-mode network, then COUNT one after the other, 100000 unless
told. Ends with 1 if one is lost, if one is left behind, or if memory grows.
`;
const { positionals } = readCommandLine(help, { allowPositionals: true });
const count = readNumber(positionals[0] ?? '100000', 'COUNT');
const reason = whyNot();
if (reason !== false) {
  console.error(`This host cannot run this: it ${reason}.`);
  process.exit(1);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let served = 0;
let most = 0;
let network: UserNetwork | undefined;
const samples: { bytes: number; connections: number }[] = [];
function sample(): void {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  samples.push({ bytes: heapUsed + external, connections: network?.size.tcp ?? 0 });
}

// Every connection is answered and ended by the server, so that no port of the guest has to rest.
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  most = Math.max(most, network?.size.tcp ?? 0);
  socket.once('data', (data) => socket.end(data));
  if (++served % Math.ceil(count / 10) === 0) sample();
}).listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const many = await runScenario(
  'many',
  { port, count: AT_ONCE },
  {},
  {
    meanwhile(one) {
      network = one;
    },
  },
);
console.log(`at once: ${many['good']} of ${AT_ONCE} answered, ${most} open at a time`);

served = 0;
samples.length = 0;
const start = performance.now();
let left: number | undefined;
let sequenceMs = 0;
const sequence = await runScenario(
  'sequence',
  { port, count, last: true },
  {},
  {
    meanwhile(one) {
      network = one;
    },
    async afterwards(one) {
      sequenceMs = performance.now() - start;
      await sleep(REST);
      left = one.size.tcp;
    },
  },
);
const perSecond = count / (sequenceMs / 1000);
const [first = 0, ...later] = samples.map(({ bytes }) => bytes);
const growth = Math.max(...later) - first;
console.log(
  `one after the other: ${sequence['good']} of ${count} answered, ${perSecond.toFixed(0)} a second; ` +
    `memory in use ${samples.map(({ bytes }) => (bytes / MIB).toFixed(1)).join(' ')} MiB, ` +
    `connections known on the way ${samples.map(({ connections }) => connections).join(' ')}, then ${left}`,
);
server.close();
// Those that ended lately rest for two seconds.
const isTidy = samples.every(({ connections }) => connections < 100 + 4 * perSecond);
const isGood =
  many['good'] === AT_ONCE && sequence['good'] === count && growth < GROWTH && isTidy && left === 0;
console.log(isGood ? 'all is well' : 'NOT as it should be');
process.exit(isGood ? 0 : 1);
