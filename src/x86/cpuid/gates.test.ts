import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DECODED, Decoder, UNDEFINED } from '../decoder.ts';
import { instructions } from '../instructions/mod.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { canonicalFeature, LEVELS, parseCpu } from './mod.ts';

const table = buildOpcodeTable(instructions);
const LONG = { bits: 64, stackSize: 64, real: false } as const;

function decodes(cpu: string, code: string): boolean {
  const features = parseCpu(cpu);
  const decoder = new Decoder(table, (name) => features.has(canonicalFeature(name) ?? ''));
  const bytes = Buffer.from(code.replaceAll(' ', ''), 'hex');
  const status = decoder.decode(bytes, 0, bytes.length, LONG);
  assert.ok(status === DECODED || status === UNDEFINED, `${code}: ${status}`);
  return status === DECODED;
}

test('every gate of an instruction is a feature that some processor announces', () => {
  for (const { name, forms } of instructions) {
    for (const attribute of forms.flatMap((form) => form.attributes)) {
      if (!attribute.startsWith('cpuid:')) continue;
      const feature = canonicalFeature(attribute.slice(6));
      assert.ok(feature !== undefined && LEVELS.max.includes(feature), `${name}: ${attribute}`);
    }
  }
});

test('an instruction is there exactly when its level is', () => {
  const levels = ['v1', 'v2', 'v3', 'max'];
  const first: readonly [code: string, level: string][] = [
    ['0f 58 c1', 'v1'], // addps
    ['9f', 'v2'], // lahf
    ['f3 0f b8 c1', 'v2'], // popcnt
    ['66 0f 38 37 c1', 'v2'], // pcmpgtq
    ['c5 f0 58 c2', 'v3'], // vaddps
    ['c5 f5 fc c2', 'v3'], // vpaddb, 256 bits
    ['c4 e2 6d 90 04 08', 'v3'], // vpgatherdd
    ['c4 e2 69 98 c1', 'v3'], // vfmadd132ps
    ['c4 e2 79 13 c1', 'v3'], // vcvtph2ps
    ['c4 e2 78 f5 c1', 'v3'], // bzhi
    ['0f 38 f0 08', 'v3'], // movbe
    ['66 0f 38 dc c1', 'max'], // aesenc
    ['0f c7 f0', 'max'], // rdrand
  ];
  for (const [code, level] of first) {
    const from = levels.indexOf(level);
    for (const [at, cpu] of levels.entries())
      assert.equal(decodes(cpu, code), at >= from, `${code} on ${cpu}`);
  }
});

test('a feature that is taken away takes its instructions along', () => {
  assert.equal(decodes('v3,-avx2', 'c5 f5 fc c2'), false);
  assert.equal(decodes('v3,-avx2', 'c5 f0 58 c2'), true);
  assert.equal(decodes('v3,-xsave', 'c5 f0 58 c2'), false);
  assert.equal(decodes('v2,+rdrand', '0f c7 f0'), true);
  assert.equal(decodes('v2,-cx8', '0f c7 08'), false);
  assert.equal(decodes('v2,-cmov', '0f 44 c1'), false);
  assert.equal(decodes('v2,-cmov', 'db f1'), false);
  assert.equal(decodes('v2,-sep', '0f 34'), false);
  assert.equal(decodes('v2,-sse2', '66 0f 38 37 c1'), false);
});
