import type { Random } from './random.ts';

/** Operands that find bugs: edges of every width, small numbers, single bits, and plain random ones. */
export function interestingInteger(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return BigInt.asUintN(64, BigInt(random.below(33) - 16));
    case 1: {
      const width = random.pick([8n, 16n, 32n, 64n]);
      const edge = 1n << (width - BigInt(random.below(2)));
      return BigInt.asUintN(64, edge + BigInt(random.below(3) - 1));
    }
    case 2:
      return 1n << BigInt(random.below(64));
    case 3:
      return BigInt.asUintN(64, ~(1n << BigInt(random.below(64))));
    case 4:
      return BigInt(random.u32());
    case 5: {
      const part = BigInt(random.pick([0, 0xff, 0x7f, 0x80, 0x01, random.below(256)]));
      return part * 0x0101_0101_0101_0101n;
    }
    default:
      return random.u64();
  }
}

/** Bits of a float of `exponentBits` and `fractionBits`: zeros, denormals, infinities, NaNs, near and far. */
function interestingFloat(random: Random, exponentBits: number, fractionBits: number): bigint {
  const fraction = BigInt(fractionBits);
  const top = (1n << BigInt(exponentBits)) - 1n;
  const bias = top >> 1n;
  const sign = BigInt(random.below(2)) << (fraction + BigInt(exponentBits));
  const some = fractionOf(random, fractionBits);
  const join = (exponent: bigint, bits: bigint) => sign | (exponent << fraction) | bits;
  switch (random.below(16)) {
    case 0:
      return join(0n, 0n);
    case 1:
      return join(0n, some);
    case 2:
      return join(1n, random.oneIn(2) ? 0n : some);
    case 3:
      return join(top - 1n, random.oneIn(2) ? (1n << fraction) - 1n : some);
    case 4:
      return join(top, 0n);
    case 5:
      return join(top, (1n << (fraction - 1n)) | (random.oneIn(2) ? 0n : some));
    case 6:
      return join(top, (some & ((1n << (fraction - 1n)) - 1n)) | 1n);
    case 7:
      return join(BigInt.asUintN(exponentBits, random.u64()), some);
    case 8:
      return join(bias + BigInt(random.below(70)), some);
    case 9:
      return join(bias + BigInt(random.below(8)), 0n);
    case 10:
      return join(bias + 1n, BigInt(random.below(4)) << (fraction - 2n));
    default:
      return join(bias + BigInt(random.below(9) - 4), some);
  }
}

function fractionOf(random: Random, bits: number): bigint {
  const all = BigInt.asUintN(bits, random.u64());
  switch (random.below(4)) {
    case 0:
      return all & (all << BigInt(random.below(bits))) & ((1n << BigInt(bits)) - 1n);
    case 1:
      return BigInt.asUintN(bits, -1n << BigInt(random.below(bits)));
    default:
      return all;
  }
}

/** Fills `length` bytes (a multiple of 8) of `target` with lanes of one kind: 0 to 7. */
export function fillLanes(
  random: Random,
  target: DataView,
  at: number,
  length: number,
  kind: number = random.below(8),
): void {
  for (let i = 0; i < length; i += 8) {
    let value: bigint;
    if (kind < 2) {
      value = (interestingFloat(random, 8, 23) << 32n) | interestingFloat(random, 8, 23);
    } else if (kind < 4) {
      value = interestingFloat(random, 11, 52);
    } else if (kind === 4) {
      value = interestingInteger(random);
    } else if (kind === 5) {
      // narrow lanes: edges of 8 and 16 bits side by side
      value = 0n;
      for (let j = 0; j < 64; j += 16) {
        const lane = random.pick([
          0,
          1,
          0x7f,
          0x80,
          0xff,
          0x7fff,
          0x8000,
          0xffff,
          random.below(65536),
        ]);
        value |= BigInt(lane) << BigInt(j);
      }
    } else {
      value = random.u64();
    }
    target.setBigUint64(at + i, value, true);
  }
}

/** An 80-bit register: finite, denormal, infinite, NaN, and the forms no arithmetic makes. */
export function fillExtended(random: Random, target: DataView, at: number): void {
  let exponent = 0x3fff + random.below(9) - 4;
  let significand = (1n << 63n) | fractionOf(random, 63);
  switch (random.below(20)) {
    case 0:
      exponent = 0;
      significand = 0n;
      break;
    case 1:
      exponent = 0;
      significand = fractionOf(random, 63);
      break;
    case 2:
      exponent = 0x7fff;
      significand = 1n << 63n;
      break;
    case 3:
      exponent = 0x7fff;
      significand |= 1n << 62n;
      break;
    case 4:
      exponent = 0x7fff;
      significand = (significand & ~(1n << 62n)) | 1n;
      break;
    case 5:
      exponent = random.below(0x7fff);
      break;
    case 6: // unnormal, pseudo-infinity, pseudo-NaN, pseudo-denormal
      exponent = random.pick([0, 1, 0x3fff, 0x7fff, random.below(0x8000)]);
      if (exponent !== 0) significand = fractionOf(random, 63);
      break;
    case 7:
      exponent = random.pick([1, 2, 0x7ffe, 0x7ffd]);
      break;
    case 8:
      exponent = 0x3fff + random.below(70);
      significand = random.oneIn(2) ? significand : 1n << 63n;
      break;
    case 9:
      exponent = 0x3fff + random.below(66);
      significand = BigInt.asUintN(64, -1n << BigInt(random.below(63)));
      break;
    case 10:
      exponent = random.pick([0x3fff - 0x3fe, 0x3fff - 0x7e, 0x3fff + 0x7f, 0x3fff + 0x3ff]);
      break;
    default:
  }
  target.setBigUint64(at, significand, true);
  target.setUint16(at + 8, exponent | (random.below(2) << 15), true);
  target.setUint32(at + 10, 0, true);
  target.setUint16(at + 14, 0, true);
}
