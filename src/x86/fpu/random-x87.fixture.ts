import type { X87Case } from './native-x87.fixture.ts';

/** A small reproducible generator (xorshift32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  bits(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  below(limit: number): number {
    return Math.floor((this.bits() / 0x1_0000_0000) * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  bits64(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }
}

const J = 1n << 63n;

/** Significands with J set whose low bits sit near the rounding points of the three precisions. */
function significand(random: Random): bigint {
  const word = random.bits64();
  switch (random.below(8)) {
    case 0:
      return J;
    case 1:
      return J | (word & ~0xffffn);
    case 2:
      return (
        J |
        (((word >> 40n) << 40n) & (J - 1n)) |
        random.pick([0n, 1n << 39n, (1n << 39n) + 1n, (1n << 40n) - 1n])
      );
    case 3:
      return (
        J |
        (((word >> 11n) << 11n) & (J - 1n)) |
        random.pick([0n, 1n << 10n, (1n << 10n) + 1n, 0x7ffn])
      );
    case 4:
      return 0xffff_ffff_ffff_ffffn - BigInt(random.below(3));
    default:
      return J | word;
  }
}

/** Ten bytes of a register: every class of value, ordinary numbers most often. */
export function randomFloat80(random: Random): { high: number; significand: bigint } {
  const sign = random.below(2) << 15;
  const value = (exponent: number, bits: bigint): { high: number; significand: bigint } => ({
    high: sign | exponent,
    significand: BigInt.asUintN(64, bits),
  });
  switch (random.below(24)) {
    case 0:
      return value(0, 0n);
    case 1:
      return value(0x7fff, J);
    case 2:
      return value(0x7fff, J | (random.bits64() >> 2n) | 1n);
    case 3:
      return value(0x7fff, J | (1n << 62n) | (random.bits64() >> BigInt(2 + random.below(60))));
    case 4:
      return value(0, random.bits64() >> BigInt(1 + random.below(63)));
    case 5:
      return value(0, significand(random)); // pseudo-denormal
    case 6:
      return value(1 + random.below(0x7fff), random.bits64() >> 1n); // unsupported
    case 7:
      return value(random.below(4), significand(random));
    case 8:
      return value(0x7ffe - random.below(4), significand(random));
    case 9:
      return value(random.below(0x7fff), significand(random));
    case 10: {
      const magnitude = random.bits64() >> BigInt(random.below(64));
      return fromMagnitude(sign, magnitude, 0);
    }
    case 11:
      return fromMagnitude(sign, BigInt(random.below(64)), -1 - random.below(3));
    case 12:
      return value(16383 - 1022 - random.below(60), significand(random)); // denormal as binary64
    case 13:
      return value(16383 - 126 - random.below(30), significand(random)); // denormal as binary32
    case 14:
      return value(16383 + random.pick([1023, 1024, 127, 128]), significand(random));
    default:
      return value(16383 - 70 + random.below(140), significand(random));
  }
}

function fromMagnitude(
  sign: number,
  magnitude: bigint,
  scale: number,
): { high: number; significand: bigint } {
  if (magnitude === 0n) return { high: sign, significand: 0n };
  const length = magnitude.toString(2).length;
  return {
    high: sign | (16383 + length - 1 + scale),
    significand: magnitude << BigInt(64 - length),
  };
}

/** Bytes of a memory operand: all bits random, or near the special values of binary32 and binary64. */
function randomMemory(random: Random): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const kind = random.below(6);
  if (kind === 0) {
    view.setFloat32(0, random.pick([0, 1, -1.5, Infinity, 1e-40, 3e38, 0.1]), true);
  } else if (kind === 1) {
    view.setFloat64(0, random.pick([0, -0, 1, -2.5, -Infinity, 1e-310, 1e308, 0.1, 1e18]), true);
  } else if (kind === 2) {
    const float = randomFloat80(random);
    view.setBigUint64(0, float.significand, true);
    view.setUint16(8, float.high, true);
  } else if (kind === 3) {
    view.setUint32(0, random.pick([0x7f80_0001, 0xffc0_1234, 0x7fff_ffff, 0x0000_0001]), true);
    view.setUint32(4, random.pick([0x7ff0_0000, 0xfff8_0001, 0x000f_ffff, 0x7fef_ffff]), true);
  } else if (kind === 4) {
    // packed decimal
    for (let i = 0; i < 9; i++) bytes[i] = random.below(10) * 16 + random.below(10);
    bytes[9] = random.pick([0, 0x80]);
  } else {
    view.setBigUint64(0, random.bits64(), true);
    view.setUint16(8, random.bits(), true);
  }
  return bytes;
}

export interface CaseOptions {
  /** probability that a register is empty, in 1/256 */
  readonly emptiness: number;
  /** all exceptions masked */
  readonly masked: boolean;
}

/** A case for `code` with random state. No unmasked exception is pending before it. */
export function randomCase(random: Random, code: readonly number[], options: CaseOptions): X87Case {
  const masks = options.masked ? 0x3f : random.pick([0x3f, 0x3f, random.below(64), 0]);
  const precision = random.pick([0, 2, 3, 3, 3]);
  const control = 0x40 | masks | (precision << 8) | (random.below(4) << 10);
  const status = (random.bits() & 0x7f00) | (random.below(64) & masks) | (random.bits() & 0x40);
  let tags = 0;
  for (let i = 0; i < 8; i++) if (random.below(256) >= options.emptiness) tags |= 1 << i;
  const stack = new Uint8Array(128);
  const view = new DataView(stack.buffer);
  for (let i = 0; i < 8; i++) {
    const float = randomFloat80(random);
    view.setBigUint64(i * 16, float.significand, true);
    view.setUint16(i * 16 + 8, float.high, true);
  }
  if (random.below(3) === 0) relate(random, view);
  return {
    code,
    memory: randomMemory(random),
    control,
    status,
    tags,
    stack,
    flags: 0x202 | (random.bits() & 0x8d5),
  };
}

/** Makes ST(1) a neighbour of ST(0): equal, opposite or close, where cancellation happens. */
function relate(random: Random, view: DataView): void {
  const high = view.getUint16(8, true);
  const sign = random.below(2) << 15;
  const exponent = Math.max(0, Math.min(0x7fff, (high & 0x7fff) + random.below(5) - 2));
  const close = view.getBigUint64(0, true) ^ BigInt(random.below(4));
  view.setUint16(24, sign | (random.below(2) === 0 ? high & 0x7fff : exponent), true);
  view.setBigUint64(16, random.below(2) === 0 ? close : random.bits64() | J, true);
}
