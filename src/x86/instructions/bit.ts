import type { MemoryWidth, Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { movedAddress } from './addressing.ts';
import { clearResultFlags, flagsZeroOnly } from './flag-bits.ts';

/** log2 of a width in bits */
const log2 = (width: number): number => 31 - Math.clz32(width);

/**
 * Address of the word that holds bit `offset` of a bit string in memory: a register's bit offset is
 * signed and reaches beyond the operand. SDM Vol. 1, 3.7.3.1 and Vol. 2A "BT".
 */
function wordAddress(b: Semantics, base: Operand, offset: Value): Value {
  const words = b.shrS(offset, b.i64(log2(base.width)));
  return movedAddress(b, base, b.shl(words, b.i64(log2(base.width / 8))));
}

/** BT, BTS, BTR, BTC: CF is the bit's old value; the other flags are kept. */
function defineBitTest(
  name: string,
  opcode: string,
  digit: number,
  change?: (b: Semantics, word: Value, bit: Value) => Value,
): Instruction {
  const forms =
    change === undefined
      ? [form(`0F ${opcode} /r`, 'Ev Gv'), form(`0F BA /${digit} ib`, 'Ev Ib')]
      : [form(`0F ${opcode} /r`, 'Ev Gv', 'lock'), form(`0F BA /${digit} ib`, 'Ev Ib', 'lock')];
  return define(name, forms, (b, [base, offset]) => {
    const index = offset.read();
    const inside = b.and(index, b.i64(base.width - 1));
    const selected = (word: Value) => b.and(b.wrap(b.shrU(word, inside)), b.i32(1));
    const changed = (word: Value) => change?.(b, word, b.shl(b.i64(1), inside)) ?? word;
    const beyond = base.kind === 'memory' && offset.kind === 'register';
    if (change === undefined) {
      const word = beyond
        ? b.load(wordAddress(b, base, index), base.width as MemoryWidth)
        : base.read();
      b.setCarry(selected(word));
    } else if (beyond) {
      const word = b.loadForUpdate(wordAddress(b, base, index), base.width as MemoryWidth);
      b.storeBack(word, changed(word));
      b.setCarry(selected(word));
    } else {
      const word = base.readForUpdate();
      base.write(changed(word));
      b.setCarry(selected(word));
    }
  });
}

export const bt = defineBitTest('bt', 'A3', 4);
export const bts = defineBitTest('bts', 'AB', 5, (b, word, bit) => b.or(word, bit));
export const btr = defineBitTest('btr', 'B3', 6, (b, word, bit) => b.and(word, b.not(bit)));
export const btc = defineBitTest('btc', 'BB', 7, (b, word, bit) => b.xor(word, bit));

/**
 * BSF, BSR: index of the lowest, highest set bit. Of a zero source ZF = 1 and the destination is kept,
 * as processors do. SDM Vol. 2A "BSF", "BSR".
 */
export const bsf = define('bsf', [form('0F BC /r', 'Gv Ev')], (b, [destination, source]) => {
  const value = source.readUnsigned();
  scanInto(b, destination, value, b.pure('i64.ctz', value));
});

export const bsr = define('bsr', [form('0F BD /r', 'Gv Ev')], (b, [destination, source]) => {
  const value = source.readUnsigned();
  scanInto(b, destination, value, b.sub(b.i64(63), b.pure('i64.clz', value)));
});

function scanInto(b: Semantics, destination: Operand, value: Value, index: Value): void {
  const found = b.nez(value);
  if (destination.width === 32) {
    // Even the upper half is kept.
    const whole = b.readState(b.slot('a'), 'i64');
    b.writeState(b.slot('a'), 'i64', b.select(found, index, whole));
  } else {
    destination.write(b.select(found, index, destination.read()));
  }
  // Undefined but ZF: PF is that of the index, the others are cleared, as AMD processors do.
  b.flagsLogic(b.select(found, index, b.i64(0)));
  b.setZeroFrom(value);
}

/**
 * ZF and CF of TZCNT and LZCNT. Of the undefined flags SF, AF and PF are cleared and OF is kept, as AMD
 * processors do.
 */
function countFlags(b: Semantics, value: Value, count: Value): void {
  clearResultFlags(b);
  b.setAdjustBit4(b.i64(0));
  b.setZeroFrom(count);
  b.setCarry(b.eqz(value));
}

/** TZCNT: trailing zeros, the width for a zero source, which sets CF. SDM Vol. 2B "TZCNT". */
export const tzcnt = define(
  'tzcnt',
  [form('F3 0F BC /r', 'Gv Ev', 'cpuid:bmi1')],
  (b, [destination, source]) => {
    const value = source.readUnsigned();
    const limit =
      destination.width === 64 ? value : b.or(value, b.i64(1n << BigInt(destination.width)));
    const count = b.pure('i64.ctz', limit);
    destination.write(count);
    countFlags(b, value, count);
  },
);

/** LZCNT: leading zeros, the width for a zero source, which sets CF. SDM Vol. 2A "LZCNT". */
export const lzcnt = define(
  'lzcnt',
  [form('F3 0F BD /r', 'Gv Ev', 'cpuid:abm')],
  (b, [destination, source]) => {
    const value = source.readUnsigned();
    const count = b.sub(b.pure('i64.clz', value), b.i64(64 - destination.width));
    destination.write(count);
    countFlags(b, value, count);
  },
);

/** POPCNT: number of set bits. SDM Vol. 2B "POPCNT". */
export const popcnt = define(
  'popcnt',
  [form('F3 0F B8 /r', 'Gv Ev', 'cpuid:popcnt')],
  (b, [destination, source]) => {
    const value = source.readUnsigned();
    destination.write(b.pure('i64.popcnt', value));
    flagsZeroOnly(b, value);
  },
);

export const bitInstructions: readonly Instruction[] = [
  bt,
  bts,
  btr,
  btc,
  bsf,
  bsr,
  tzcnt,
  lzcnt,
  popcnt,
];
