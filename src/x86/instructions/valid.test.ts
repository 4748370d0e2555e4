import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HelperTraits, printBody, problemsOf } from '../../ir/mod.ts';
import { helpers } from '../helpers/mod.ts';
import { vectorAesHelpers } from '../helpers/vector-aes.ts';
import { vectorIntegerHelpers } from '../helpers/vector-integer.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { STATE } from '../state.ts';
import { shapesOf } from './every-shape.fixture.ts';
import { instructions } from './mod.ts';

/** Helpers that only check: they throw or change nothing. */
const CHECKS = new Set(['trapGate', 'checkSegment', 'checkCanonical']);
/** Helpers that never throw and change no more than the vector scratch fields. */
const IN_SCRATCH = new Set([
  ...Object.keys(vectorIntegerHelpers),
  ...Object.keys(vectorAesHelpers),
]);

function helper(name: string): HelperTraits | undefined {
  const found = helpers[name];
  if (found === undefined) return undefined;
  const inScratch = IN_SCRATCH.has(name);
  const checks = CHECKS.has(name) || inScratch;
  return { params: found.params, result: found.result, checks, total: inScratch };
}

/** Fields that are no architectural state. */
function scratch(offset: number): boolean {
  const vector = offset >= STATE.vectorScratch && offset < STATE.vectorScratch + 96;
  return vector || (offset >= STATE.scratch && offset < STATE.scratch + 32);
}

const { encodings } = buildOpcodeTable(instructions);

test('every form of every instruction has a valid meaning in every shape', (context) => {
  const failures = new Map<string, string>();
  let bodies = 0;
  for (const encoding of encodings) {
    const { instruction, form } = encoding;
    const name = `${instruction.name} (${form.opcode} ${form.operands.join(' ')})`;
    for (const shape of shapesOf(encoding)) {
      bodies++;
      const where = `${name} ${JSON.stringify(shape)}`;
      try {
        const body = buildMeaning(encoding, shape);
        const problems = problemsOf(body, { helper, scratch });
        if (problems.length === 0) continue;
        const text = `${where}\n  ${problems.join('\n  ')}\n${printBody(body)}`;
        if (!failures.has(name)) failures.set(name, text);
      } catch (error) {
        failures.set(name, `${where}\n  ${error}`);
      }
    }
  }
  context.diagnostic(`${encodings.length} forms, ${bodies} bodies`);
  const shown = [...failures.values()].slice(0, 5).join('\n');
  assert.equal(failures.size, 0, `${[...failures.keys()].join('\n')}\n\n${shown}`);
});
