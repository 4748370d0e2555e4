import { GP } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import { RAX, RBX, RCX, RDX } from '../state.ts';

/**
 * CMPXCHG: when the accumulator equals the destination, the destination becomes the source; otherwise
 * the accumulator becomes the destination, which is written back unchanged. SDM Vol. 2A "CMPXCHG".
 */
export const cmpxchg = define(
  'cmpxchg',
  [form('0F B0 /r', 'Eb Gb', 'lock'), form('0F B1 /r', 'Ev Gv', 'lock')],
  (b, [destination, source]) => {
    const width = destination.width;
    const current = destination.readForUpdate();
    const expected = b.readGpr(RAX, width);
    const equal = b.eq(expected, current);
    const stored = source.read();
    // The accumulator keeps its upper half when the comparison succeeds.
    const whole = width === 32 ? 64 : width;
    const kept = b.readGpr(RAX, whole);
    const loaded = width === 32 ? b.zeroExtend(current, 32) : current;
    const accumulator = b.select(equal, kept, loaded);
    if (destination.kind === 'memory') {
      destination.write(b.select(equal, stored, current));
      b.writeGpr(RAX, whole, accumulator);
    } else if (width === 32) {
      // The destination keeps its upper half when the comparison fails. It may be the accumulator
      // itself: then its write counts.
      const wholeDestination = b.readState(b.slot('a'), 'i64');
      b.writeGpr(RAX, whole, accumulator);
      b.writeState(b.slot('a'), 'i64', b.select(equal, b.zeroExtend(stored, 32), wholeDestination));
    } else {
      b.writeGpr(RAX, whole, accumulator);
      destination.write(b.select(equal, stored, current));
    }
    b.flagsSub(expected, current, b.signExtend(b.sub(expected, current), width));
  },
);

/** CMPXCHG8B: EDX:EAX with a quadword, ECX:EBX the new value; ZF alone. SDM Vol. 2A "CMPXCHG8B". */
export const cmpxchg8b = define(
  'cmpxchg8b',
  [form('0F C7 /1', 'Mq', 'lock', 'cpuid:cx8')],
  (b, [destination]) => {
    const pair = (high: number, low: number) =>
      b.or(b.shl(b.readGpr(high, 64), b.i64(32)), b.readGprUnsigned(low, 32));
    const current = destination.readForUpdate();
    const equal = b.eq(current, pair(RDX, RAX));
    destination.write(b.select(equal, pair(RCX, RBX), current));
    const low = b.zeroExtend(current, 32);
    const high = b.shrU(current, b.i64(32));
    b.writeGpr(RAX, 64, b.select(equal, b.readGpr(RAX, 64), low));
    b.writeGpr(RDX, 64, b.select(equal, b.readGpr(RDX, 64), high));
    b.setZeroFrom(b.widen(b.eqz(equal)));
  },
);

/** CMPXCHG16B: the same with RDX:RAX and RCX:RBX; #GP unless 16-byte aligned. */
export const cmpxchg16b = define(
  'cmpxchg16b',
  [form('REX.W 0F C7 /1', 'Mdq', 'lock', 'only64', 'cpuid:cx16')],
  (b, [destination]) => {
    const address = destination.address();
    b.if(b.nez(b.and(address, b.i64(15))), () => b.fault(GP));
    const low = b.loadForUpdate(address, 64);
    const high = b.loadForUpdate(b.add(address, b.i64(8)), 64);
    const expectedLow = b.readGpr(RAX, 64);
    const expectedHigh = b.readGpr(RDX, 64);
    const equal = b.and(b.eq(low, expectedLow), b.eq(high, expectedHigh));
    b.storeBack(low, b.select(equal, b.readGpr(RBX, 64), low));
    b.storeBack(high, b.select(equal, b.readGpr(RCX, 64), high));
    // When equal, the registers already hold what memory held.
    b.writeGpr(RAX, 64, low);
    b.writeGpr(RDX, 64, high);
    b.setZeroFrom(b.widen(b.eqz(equal)));
  },
);

export const cmpxchgInstructions: readonly Instruction[] = [cmpxchg, cmpxchg8b, cmpxchg16b];
