/** Runs one case of the random code and prints its way. */
import { CS, STATE } from '../../../src/x86/state.ts';
import { readCommandLine, readNumber } from '../../command-line.ts';
import { CodeMachine } from './code-machine.ts';
import { BUDGET, CodeFuzzer, makeStart } from './round.ts';

const HELP = `Usage: node test/fuzz/code/show.ts [SEED [CASE]]

Runs one case of the random code on the reference and prints every instruction on its way, then what
differs on the other engines. SEED and CASE are those that the fuzzer printed; 1 and 0.
`;

const { positionals } = readCommandLine(HELP, { options: {}, allowPositionals: true });
const seed = readNumber(positionals[0] ?? '1', 'SEED');
const number = readNumber(positionals[1] ?? '0', 'CASE');
const { world, image, enter } = makeStart(seed, number);
const machine = new CodeMachine('reference');
const { vcpu } = machine;
console.log(world.name);

const run = vcpu.run.bind(vcpu);
vcpu.run = () => {
  for (let i = 0; i < BUDGET; i++) {
    const { state, mode } = vcpu;
    const rip = state.get64(STATE.rip);
    const linear = mode.bits === 64 ? rip : BigInt.asUintN(32, rip + state.segmentBase(CS));
    console.log(
      `${mode.bits}-bit, level ${state.cpl}, rip ${rip.toString(16)}: ${bytesAt(linear)}`,
    );
    vcpu.lastFault = undefined;
    const exit = run(1);
    const fault = vcpu.lastFault as { vector: number; errorCode: number } | undefined;
    if (fault !== undefined) console.log(`  exception ${fault.vector}, ${fault.errorCode}`);
    if (exit !== 'budget') return exit;
  }
  return 'budget';
};
console.log(machine.run(image, enter, BUDGET).exit);
const lines = new CodeFuzzer(['handlers', 'regions', 'ordered']).round(seed, number);
console.log(lines.length > 0 ? lines.join('\n  ') : 'all engines agree');

function bytesAt(linear: bigint): string {
  const bytes = new Uint8Array(15);
  try {
    vcpu.readBytes(linear, bytes, 'supervisor');
  } catch {
    return '(nothing to be read)';
  }
  return Buffer.from(bytes).toString('hex');
}
