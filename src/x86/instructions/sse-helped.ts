import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { xmmOffset } from '../state.ts';
import { getScratch, putScratch, SECOND, THIRD } from './sse-careful.ts';
import { halves, lanewiseUnary, sse, threeOperands, writeHalves } from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/**
 * Instructions computed by a helper, half by half: MPSADBW, PHMINPOSUW, AES, carry-less multiplication,
 * SHA. SDM Vol. 2A "AESENC", Vol. 2B "MPSADBW", "PCLMULQDQ", "SHA1RNDS4".
 */

/** Runs `helper` on two vectors; it is given the byte offset of the half in the scratch area, then `more`. */
export function helped(helper: string, ...more: number[]) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const immediate = rest[0] === undefined ? [] : [byteImmediate(b, rest[0])];
    const sources = halves(b).map((at) => [left.readVector(at), right.readVector(at)] as const);
    const values = sources.map(([first, second], half) => {
      putScratch(b, half * 16, first);
      putScratch(b, SECOND + half * 16, second);
      b.helper(helper, b.i32(half * 16), ...more.map((value) => b.i32(value)), ...immediate);
      return getScratch(b, half * 16, 'v128');
    });
    writeHalves(b, destination, values);
  };
}

/** The same for an instruction of one source. */
export function helpedUnary(helper: string, ...more: number[]) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const immediate = operands[2] === undefined ? [] : [byteImmediate(b, operands[2])];
    lanewiseUnary(b, operands, (_b, source) => {
      putScratch(b, 0, source);
      b.helper(helper, b.i32(0), ...more.map((value) => b.i32(value)), ...immediate);
      return getScratch(b, 0, 'v128');
    });
  };
}

/** SHA256RNDS2: XMM0 holds the round keys. */
function shaRounds256(b: Semantics, [destination, source]: readonly Operand[]): void {
  const to = destination as Operand;
  const right = (source as Operand).readVector();
  const keys: Value = b.readState({ kind: 'fixed', offset: xmmOffset(0) }, 'v128');
  putScratch(b, 0, to.readVector());
  putScratch(b, SECOND, right);
  putScratch(b, THIRD, keys);
  b.helper('sha256Rounds', b.i32(0));
  to.writeVector(getScratch(b, 0, 'v128'));
}

/** The four AES rounds share a helper: bit 0 decrypts, bit 1 is the last round. */
export const AES_ROUNDS = [
  ['aesenc', '0F 38 DC', 0],
  ['aesenclast', '0F 38 DD', 2],
  ['aesdec', '0F 38 DE', 1],
  ['aesdeclast', '0F 38 DF', 3],
] as const;

const aes = AES_ROUNDS.map(([name, opcode, kind]) =>
  define(name, [sse(`66 ${opcode} /r`, 'Vx Wx', 'aes', 'aligned')], helped('aesRound', kind)),
);

// AMD's processors do not ask for aligned operands here; Intel's manual does.
const shaForm = (opcode: string, operands = 'Vx Wx') => [sse(`NP ${opcode}`, operands, 'sha_ni')];

export const sseHelpedInstructions: readonly Instruction[] = [
  define(
    'mpsadbw',
    [sse('66 0F 3A 42 /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')],
    helped('sumsOfDifferences'),
  ),
  define(
    'phminposuw',
    [sse('66 0F 38 41 /r', 'Vx Wx', 'sse4_1', 'aligned')],
    helpedUnary('minimumWord'),
  ),
  ...aes,
  define('aesimc', [sse('66 0F 38 DB /r', 'Vx Wx', 'aes', 'aligned')], helpedUnary('aesUnmix')),
  define(
    'aeskeygenassist',
    [sse('66 0F 3A DF /r ib', 'Vx Wx Ib', 'aes', 'aligned')],
    helpedUnary('aesKey'),
  ),
  define(
    'pclmulqdq',
    [sse('66 0F 3A 44 /r ib', 'Vx Wx Ib', 'pclmulqdq', 'aligned')],
    helped('multiplyCarryless'),
  ),
  define('sha1nexte', shaForm('0F 38 C8 /r'), helped('sha1Next')),
  define('sha1msg1', shaForm('0F 38 C9 /r'), helped('sha1Message1')),
  define('sha1msg2', shaForm('0F 38 CA /r'), helped('sha1Message2')),
  define('sha256rnds2', shaForm('0F 38 CB /r'), shaRounds256),
  define('sha256msg1', shaForm('0F 38 CC /r'), helped('sha256Message1')),
  define('sha256msg2', shaForm('0F 38 CD /r'), helped('sha256Message2')),
  define('sha1rnds4', shaForm('0F 3A CC /r ib', 'Vx Wx Ib'), helped('sha1Rounds')),
];
