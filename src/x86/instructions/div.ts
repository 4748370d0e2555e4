import type { Value } from '../../ir/mod.ts';
import { DE } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { RAX, RDX } from '../state.ts';
import { clearResultFlags } from './flag-bits.ts';

/** rDX:rAX as one i64 (`width` 16 or 32), or AX (`width` 8). Sign-extended when `signed`. */
function dividend(b: Semantics, width: number, signed: boolean): Value {
  if (width === 8) return signed ? b.readGpr(RAX, 16) : b.readGprUnsigned(RAX, 16);
  const high = signed ? b.readGpr(RDX, width) : b.readGprUnsigned(RDX, width);
  return b.or(b.shl(high, b.i64(width)), b.readGprUnsigned(RAX, width));
}

/** Flags are undefined: ZF, SF and PF are cleared, AF is set, CF and OF are kept, as AMD processors do. */
function writeQuotient(b: Semantics, width: number, quotient: Value, remainder: Value): void {
  clearResultFlags(b);
  b.setAdjustBit4(b.i64(16));
  if (width === 8) {
    b.writeGpr(RAX, 16, b.or(b.zeroExtend(quotient, 8), b.shl(remainder, b.i64(8))));
    return;
  }
  b.writeGpr(RAX, width, quotient);
  b.writeGpr(RDX, width, remainder);
}

/**
 * DIV: unsigned quotient and remainder of rDX:rAX; #DE when the source is 0 or the quotient does not fit.
 * A 128-bit dividend that fits 64 bits, which compilers always make, is
 * divided here; others by a helper. SDM Vol. 2A "DIV".
 */
export const div = define('div', [form('F6 /6', 'Eb'), form('F7 /6', 'Ev')], (b, [source]) => {
  const width = source.width;
  const divisor = source.readUnsigned();
  b.if(b.eqz(divisor), () => b.fault(DE));
  const divide = (value: Value) => {
    const quotient = b.pure('i64.div_u', value, divisor);
    if (width < 64) {
      b.if(b.nez(b.shrU(quotient, b.i64(width))), () => b.fault(DE));
    }
    writeQuotient(b, width, quotient, b.sub(value, b.mul(quotient, divisor)));
  };
  if (width < 64) {
    divide(dividend(b, width, false));
    return;
  }
  b.if(
    b.eqz(b.readGpr(RDX, 64)),
    () => divide(b.readGpr(RAX, 64)),
    () => b.helper('divideUnsigned128', divisor),
  );
});

/** IDIV: signed quotient, rounded toward zero, and remainder of rDX:rAX. SDM Vol. 2A "IDIV". */
export const idiv = define('idiv', [form('F6 /7', 'Eb'), form('F7 /7', 'Ev')], (b, [source]) => {
  const width = source.width;
  const divisor = source.read();
  b.if(b.eqz(divisor), () => b.fault(DE));
  const divide = (value: Value) => {
    if (width >= 32) {
      // The one quotient that does not fit an i64.
      const smallest = b.eq(value, b.i64(1n << 63n));
      b.if(b.and(smallest, b.eq(divisor, b.i64(-1n))), () => b.fault(DE));
    }
    const quotient = b.pure('i64.div_s', value, divisor);
    if (width < 64) {
      b.if(b.ne(quotient, b.signExtend(quotient, width)), () => b.fault(DE));
    }
    writeQuotient(b, width, quotient, b.sub(value, b.mul(quotient, divisor)));
  };
  if (width < 64) {
    divide(dividend(b, width, true));
    return;
  }
  const sign = b.shrS(b.readGpr(RAX, 64), b.i64(63));
  b.if(
    b.eq(b.readGpr(RDX, 64), sign),
    () => divide(b.readGpr(RAX, 64)),
    () => b.helper('divideSigned128', divisor),
  );
});

export const divInstructions: readonly Instruction[] = [div, idiv];
