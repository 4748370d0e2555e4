import { VivariumError } from '../util/mod.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
const PAGE_BYTES = 4096;

/** Bytes in a size such as `512M`, `1.5G` or a plain number of bytes; a multiple of 4 KiB. */
export function parseMemorySize(size: string | number): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(String(size).trim());
  if (match === null) {
    throw new VivariumError(
      'option-invalid',
      `memory: "${size}" is not a size; write it like 512M or 2G`,
    );
  }
  const bytes = Number(match[1]) * (UNITS[(match[2] as string).toLowerCase()] as number);
  if (bytes === 0 || bytes % PAGE_BYTES !== 0) {
    throw new VivariumError(
      'option-invalid',
      `memory: ${size} is not a multiple of 4 KiB; write it like 512M or 2G`,
    );
  }
  return bytes;
}
