/** PAT and MTRRs: kept and checked, without effect on a machine that has no caches. SDM Vol. 3A, 12.11-12.12. */
import { STATE } from '../state.ts';
import { PHYSICAL_ADDRESS_BITS } from '../system/control-bits.ts';
import { field, type MsrTable, readOnly, withFeature } from './register.ts';

const VARIABLE_RANGES = 8;
const CAP_FIXED = 1n << 8n;
const CAP_WRITE_COMBINING = 1n << 10n;
const DEF_TYPE_BITS = 0xcffn;

/** Memory types: UC 0, WC 1, WT 4, WP 5, WB 6; PAT also has UC- 7. */
const MTRR_TYPES = 0b0111_0011;
const PAT_TYPES = 0b1111_0011;

const FIXED_RANGES = [
  0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
] as const;

function typesAreLegal(value: bigint, legal: number): boolean {
  for (let shift = 0n; shift < 64n; shift += 8n) {
    const type = Number((value >> shift) & 0xffn);
    if (type > 7 || ((legal >> type) & 1) === 0) return false;
  }
  return true;
}

function typeIsLegal(value: bigint): boolean {
  const type = Number(value & 0xffn);
  return type <= 7 && ((MTRR_TYPES >> type) & 1) !== 0;
}

const ADDRESS_BITS = (1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 0x1000n;

function fixedRanges(): MsrTable {
  return FIXED_RANGES.map((index, order) => [
    index,
    field(`MTRR_FIX_${index.toString(16)}`, STATE.mtrrs + order * 8, (_cpu, value) =>
      typesAreLegal(value, MTRR_TYPES),
    ),
  ]);
}

function variableRanges(): MsrTable {
  const first = STATE.mtrrs + FIXED_RANGES.length * 8;
  return Array.from({ length: VARIABLE_RANGES }, (_, order) => order).flatMap((order): MsrTable => {
    const base = field(
      `MTRR_PHYS_BASE${order}`,
      first + order * 16,
      (_cpu, value) => typeIsLegal(value) && (value & ~(ADDRESS_BITS | 0xffn)) === 0n,
    );
    const mask = field(
      `MTRR_PHYS_MASK${order}`,
      first + order * 16 + 8,
      (_cpu, value) => (value & ~(ADDRESS_BITS | 0x800n)) === 0n,
    );
    return [
      [0x200 + order * 2, base],
      [0x201 + order * 2, mask],
    ];
  });
}

const mtrrs: MsrTable = [
  [0xfe, readOnly('MTRR_CAP', BigInt(VARIABLE_RANGES) | CAP_FIXED | CAP_WRITE_COMBINING)],
  [
    0x2ff,
    field(
      'MTRR_DEF_TYPE',
      STATE.mtrrDefType,
      (_cpu, value) => typeIsLegal(value) && (value & ~DEF_TYPE_BITS) === 0n,
    ),
  ],
  ...fixedRanges(),
  ...variableRanges(),
];

const pat = field('PAT', STATE.pat, (_cpu, value) => typesAreLegal(value, PAT_TYPES));

export const memoryTypeMsrs: MsrTable = [
  ...mtrrs.map(([index, register]) => [index, withFeature('mtrr', register)] as const),
  [0x277, withFeature('pat', pat)],
];
