import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from './crc32.ts';
import { decompress } from './decompress.ts';
import { plainXz } from './xz-filtered.ts';

/** Branch opcodes and sign bytes in all orders: each path of the filter is taken. */
function branches(): Uint8Array {
  const bytes = [0xe8, 0xe9, 0x00, 0xff, 0x12, 0xe8];
  let seed = 1;
  return Uint8Array.from({ length: 3000 }, () => {
    seed = Number((BigInt(seed) * 1103515245n + 12345n) % 2n ** 31n);
    return bytes[(seed >> 16) % 6]!;
  });
}

/** `branches()` by `xz --check=crc32 --x86 --lzma2=preset=9e`. */
const packed = Buffer.from(
  [
    '/Td6WFoAAAFpIt42AgEEACEBHACHbtrl4Au3BkNdAAAFL/FEiRjo6StdjkI49YqDybKMhCuctikpQKWnjyOuxnFEqO',
    'yxNqUxhjsbJwJ8XF2IcIA/dnVUK9e/NBG0WroHFErpFFM7ehmA1fqFIUHzQmcvLlgqqojN0kKUBR6Bea+20rnHNbic',
    'LB8lZ1qDVTvIRo8rzDHV5da1cPYEN6D3KWGG+pOPwWkPqVqSJuMJcIV+0aYy7x8745xqqh1gwblB9fi2zKphSc3MIN',
    'ITEgdDDHoTJp3FxGt1KnlLzWVjO84V/d9FYZLTN5fo/KNeUrJ4hYO/CPNc+LsESdNlqH8da3CCqAQRggdbY2TGxPNI',
    'Ws8KydzBOUnI6zfHOYhRTacgrXHE87PPYlAepdBXJQ8z6a6rueupk0Y4GFJVoJGLRmzqAJHmlJcLhoFU+vZrfW2Pjq',
    'EeFCi0DmUCZsytEjqfRDza0T8V1sjlpjteF60qoKjwvHctp/psu+H23vKpMCDtRzqYIPem7g4Pf3p3wX55Z71n2RVD',
    'hy1GeEeCYNzzeGvK2hzMsAnkH2+iQMauNoaCKTzo5Ty6wMcT57AcTNWK6f5JVexENIjEu9E5ntux0qd7Lngw89EPH/',
    'APRIcoUMYIefdN1fg2bHzOXyw5MwYiBsSI//PbSeGS/A4WacnvwAESHXK2g59vNy5gOKXtnYtyCMzx8XI2CE2BpYqF',
    'VUbnoALZusWpJ40CmZrn4ypGKSXmxXGD2YO0L8grDFbL6raC7R1V+MTVBXKYNOlFj5lW6HbOLKclH1s60NX9gQg7lw',
    'hkbG+CR5iI3taccDIEpQ2SHSC7T5onjcFTJBZg5+Rknmq7dXzq4nDg2mwqjQJoKj7V9BKFSjTv6aLCcMyvcgUtTGO/',
    'bxGlohdUfn5JAaeDPkn1yvorgBZb8SUN67d03fodS0qc2I/7bYBGupRdA3bq4pMDtSSaJuhhtNCjb8XO3NuuuUak8A',
    'yFePr1eyFZWF0n31r8Y7EfUN2sVN88eFaOuDAlS77fxWLgZORWSNNeu05KzUpkAzHlC5MO3WkJ5lmpPTJiyhetbCOk',
    'H01EUIdZnEjLX2hD1McWKf22fQSJCgP/sy7p2qwQyJsSeyeT4hFzOtLHYUJ5OuLfrrpUEZTIDr6amnX8UiI6OuXdt0',
    'fmaQxCTIS3Avj66IBoyULREp/SepI0BuO64XJgrmr8S1WDuXVvvoZdtt000u6KFmxc4HJibcvFOis7iJ1hoUJoi1I+',
    'XCuWP9+2Fv4I1RfuzNhTCY3F9sGMmaUkZOyROcBZnwz9I/t77T6KlAskqJC8gQCs4KHvMSfBtGlUNkOVZhPxV3I+2Z',
    '+Ms/jJt3fGExjaSTt2o3/8JXyrwZTajyBbGMhu1CJqYXls2lpgOcB6+Se6KXjPSxmzrqHMviVc+le77VBqIEFKNJr/',
    'COylEGqXkt96Q9130mHpzQoL957T/94CHRFbRTk2us5GAtdVQc6I+IStKUlr67ItkAFJwaKzsn3K1SiS/6nQ6N1JoE',
    'cn63CFHQhB7aZUCKrEhkNMkMo6F6Xx3KGJug7xiglNjR881f4Qg4XDhkpiydQ0SSTECOW4DIE9n8SKHaM/aNf+r0/W',
    'QHA8E5JzdHdZogFTsE8/xb7MTVJwtCeapwNQh4RHvj6Fccxgl14FZ+ApB/zHPvHowWcdfE/i1utxbjAWcKa74siK/X',
    'XKvlaDaYxzFmZyb5VYlPPRPGLvnwdjz9CAXy3BG2j8ngR7h5InieCfWiEcrgNoQgajE+g/2mB7eJqXNsjCB2D3Ub6P',
    'uMPW+PvjZEOL6SUXNtC6mz5n3Ax8VOn8zVzMvlwKJXihX3S87NfI642TYD1bF9TNsdgSS1pZM2qVbnXn+PbNQGt9DT',
    '7i41KzmCqlY8bsO0prwsk1Awx8yjjudylg95F2gvIqAjwzgWKYW22ARL5TmW4+m4FLqzXWSMzkC7VJRdXDoVSEmZ6O',
    'XM1cUwC++HKT9TYgM3WxkRlvbOxQFj1BCztOqyILPY7L1LQ4Z+J7jdGVnBKmHTw6n36IP9W0Kmviid2yV48mSiiqqQ',
    'vWkUHUw4r91XYfE8/VAzdU1BhLUra64gHSnwhnFjhIe5bfHVZ4QqFz/SkKcpYyXIhubcImG2N0YNUJRkb7XS4nAmOc',
    'ixJF/9K+DT+VYcmUzfEAAC8AhcsAAdsMuBcAALAG878+MA2LAgAAAAABWVo=',
  ].join(''),
  'base64',
);

test('the CRC-32 of "123456789" is the one that its definition names', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
});

test('xz data with the x86 filter are unpacked', async () => {
  assert.deepEqual(await decompress(packed), branches());
});

test('the data are not unpacked right without undoing the filter', async () => {
  const filtered = await decompress(plainXz(packed)!.plain);
  assert.equal(filtered.length, 3000);
  assert.notDeepEqual(filtered, branches());
});

test('filtered data whose checksum does not fit are refused', async () => {
  const header = (packed[12]! + 1) * 4;
  const { plain } = plainXz(packed)!;
  const dataBytes = plain.length - 12 - 12 - 16 - 12;
  for (const offset of [12 + header + 100, 12 + header + dataBytes]) {
    const damaged = new Uint8Array(packed);
    damaged[offset] = damaged[offset]! ^ 1;
    await assert.rejects(decompress(damaged), { name: 'CompressionError' }, `at ${offset}`);
  }
});

test('filtered data that are cut short anywhere are refused', async () => {
  for (let length = 12; length < packed.length - 30; length += 37) {
    const cut = packed.subarray(0, length);
    await assert.rejects(decompress(cut), { name: 'CompressionError' }, `at ${length}`);
  }
});
