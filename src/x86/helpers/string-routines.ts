/**
 * The usual cases of REP MOVS and REP STOS: upwards, over pages that the TLB knows. Each does the whole
 * instruction and gives 1, or does nothing and gives 0.
 */
import type { Type, Value } from '../../ir/mod.ts';
import type { Helper } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import type { Routine } from '../routine.ts';
import { STATE } from '../state.ts';

const PAGE = 4096;
/** More is done in pieces, so that interrupts get in. */
const MOST_BYTES = 1 << 16;

function tries(params: readonly Type[], routine: (b: Routine) => void): Helper {
  return { params, result: 'i32', routine, run: () => 0 };
}

/** Bytes of `count` elements of 2^`shift` bytes, as i32, handed to `work` when they are few enough. */
function withBytes(
  b: Routine,
  count: Value,
  shift: Value,
  direct: Value,
  work: (bytes: Value) => void,
): void {
  const few = b.ltU(count, b.i64(MOST_BYTES));
  const flags = b.and(b.readFixed(STATE.eflags, 'i32'), b.i32(EFLAGS.DF | EFLAGS.TF));
  b.if(b.and(b.and(few, direct), b.eqz(flags)), () => {
    const bytes = b.shl(b.wrap(count), shift);
    b.if(b.leU(bytes, b.i32(MOST_BYTES)), () => work(bytes));
  });
}

/** Bytes from `address` to the end of its page. */
function room(b: Routine, address: Value): Value {
  return b.sub(b.i32(PAGE), b.and(b.wrap(address), b.i32(PAGE - 1)));
}

function least(b: Routine, x: Value, y: Value): Value {
  return b.select(b.ltU(x, y), x, y);
}

/** (to, from, count, shift): moves `count` elements of 2^`shift` bytes. */
const move = tries(['i64', 'i64', 'i64', 'i32'], (b) => {
  const [to, from, count, shift] = [b.param(0), b.param(1), b.param(2), b.param(3)];
  withBytes(b, count, shift, b.i32(1), (bytes) => {
    // A destination that begins inside the source would repeat what was just written.
    const distance = b.sub(to, from);
    const apart = b.eqz(b.ltU(distance, b.widen(bytes)));
    b.if(b.or(apart, b.eqz(bytes)), () => {
      const done = b.variable(b.i32(0));
      b.set(b.result, b.i32(1));
      const piece = (copies: boolean): void => {
        const wide = b.widen(b.get(done));
        const [target, source] = [b.add(to, wide), b.add(from, wide)];
        const left = b.sub(bytes, b.get(done));
        const size = least(b, least(b, room(b, target), room(b, source)), left);
        const at = b.place(target, 'write');
        const origin = b.place(source, 'read');
        if (copies) b.copy(at, origin, size);
        else {
          // The same frame may be mapped twice.
          const same = b.and(b.ltU(b.sub(at, origin), size), b.nez(size));
          const missing = b.or(b.eqz(at), b.eqz(origin));
          b.if(b.or(same, missing), () => b.set(b.result, b.i32(0)));
        }
        b.set(done, b.add(b.get(done), size));
      };
      b.if(bytes, () => {
        b.loop(() => {
          piece(false);
          return b.and(b.get(b.result), b.ltU(b.get(done), bytes));
        });
        b.if(b.get(b.result), () => {
          b.set(done, b.i32(0));
          b.loop(() => {
            piece(true);
            return b.ltU(b.get(done), bytes);
          });
        });
      });
    });
  });
});

/** (to, value, count, shift): fills `count` elements of 2^`shift` bytes whose bytes are all the same. */
const fill = tries(['i64', 'i64', 'i64', 'i32'], (b) => {
  const [to, value, count, shift] = [b.param(0), b.param(1), b.param(2), b.param(3)];
  // The value is sign-extended: its lowest byte, repeated eight times, is the whole of it or its low half.
  const byte = b.and(value, b.i64(0xff));
  const repeated = b.mul(byte, b.i64(0x0101_0101_0101_0101n));
  const unused = b.widen(b.sub(b.i32(64), b.shl(b.i32(8), shift)));
  const uniform = b.eqz(b.shl(b.xor(value, repeated), unused));
  withBytes(b, count, shift, uniform, (bytes) => {
    const done = b.variable(b.i32(0));
    b.set(b.result, b.i32(1));
    const piece = (fills: boolean): void => {
      const target = b.add(to, b.widen(b.get(done)));
      const size = least(b, room(b, target), b.sub(bytes, b.get(done)));
      const at = b.place(target, 'write');
      if (fills) b.fill(at, b.wrap(byte), size);
      else b.if(b.eqz(at), () => b.set(b.result, b.i32(0)));
      b.set(done, b.add(b.get(done), size));
    };
    b.if(bytes, () => {
      b.loop(() => {
        piece(false);
        return b.and(b.get(b.result), b.ltU(b.get(done), bytes));
      });
      b.if(b.get(b.result), () => {
        b.set(done, b.i32(0));
        b.loop(() => {
          piece(true);
          return b.ltU(b.get(done), bytes);
        });
      });
    });
  });
});

export const stringRoutines: Record<string, Helper> = { stringMove: move, stringFill: fill };
