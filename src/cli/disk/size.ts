import { VivariumError } from '../../util/mod.ts';

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
const shown = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const MAX_BYTES = 2 ** 50;

/** Bytes in `20G`, `1.5T` or a plain number, rounded up to whole sectors. */
export function parseDiskSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN;
  const bytes = Math.ceil((Number(match?.[1]) * unit) / 512) * 512;
  if (match === null || !(bytes > 0)) {
    throw new VivariumError(
      'option-invalid',
      `"${text}" is not a size of a disk; write it like 20G or 512M`,
    );
  }
  if (bytes > MAX_BYTES) {
    throw new VivariumError('option-invalid', `a disk of ${text} is too large; 1024T is the limit`);
  }
  return bytes;
}

/** Clusters of 512 bytes to 2 MiB: the exponent of `64K`. */
export function parseClusterBits(text: string): number {
  const bits = Math.log2(parseDiskSize(text));
  if (Number.isInteger(bits) && bits >= 9 && bits <= 21) return bits;
  throw new VivariumError(
    'option-invalid',
    `clusters of ${text} cannot be; write a power of two from 512 to 2M`,
  );
}

/** A size for people: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < shown.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${shown[unit]}`;
}
