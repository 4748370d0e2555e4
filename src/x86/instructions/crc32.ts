import { define, form, type Instruction } from '../form.ts';

/** CRC32: accumulates the CRC-32C of the source's bytes. SDM Vol. 2A "CRC32". */
export const crc32 = define(
  'crc32',
  [
    // Apart by mod, which makes them more specific than MOVBE, which has memory operands alone.
    form('F2 0F 38 F0 /r mod=3', 'Gy Eb', 'cpuid:sse4_2'),
    form('F2 0F 38 F0 /r mod!=3', 'Gy Eb', 'cpuid:sse4_2'),
    form('F2 0F 38 F1 /r mod=3', 'Gy Ev', 'cpuid:sse4_2'),
    form('F2 0F 38 F1 /r mod!=3', 'Gy Ev', 'cpuid:sse4_2'),
  ],
  (b, [accumulator, source]) => {
    const data = source.readUnsigned();
    const low = b.wrap(data);
    const high = b.wrap(b.shrU(data, b.i64(32)));
    const crc = b.wrap(accumulator.read());
    const next = b.call('crc32c', 'i32', crc, low, high, b.i32(source.width / 8));
    accumulator.write(b.widen(next));
  },
);

export const crc32Instructions: readonly Instruction[] = [crc32];
