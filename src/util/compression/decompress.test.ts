import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompress } from './decompress.ts';
import { detectCompression } from './detect.ts';

const data = new TextEncoder().encode('Vivarium '.repeat(5000));
/** `data` by `xz -9 --check=crc64`. */
const xz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4K/HAFFdACsaSsYjkgl6iHk7wbvPsja1CvvFcBQGGsglbHT5KKXD5i/4dY33BD56J6SEPxlyPEbHrDjgazqoTqFMxdKEaBclBSQ/QeT75neAvvv7HiW+AAAAAAD3cHGqe2P/6wABbcjfAgAA4hbp07HEZ/sCAAAAAARZWg==',
  'base64',
);
/** `data` by `lz4 -l`, the legacy frame. */
const lz4 = Buffer.from(
  'AiFMGMMAAACfVml2YXJpdW0gCQD//////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////1dQcml1bSA=',
  'base64',
);

const packed = { gzip: gzipSync(data), zstd: zstdCompressSync(data), xz, lz4 };

for (const [format, bytes] of Object.entries(packed)) {
  test(`${format} data are recognised and unpacked`, async () => {
    assert.equal(detectCompression(bytes), format);
    assert.deepEqual(await decompress(bytes), data);
  });

  test(`${format} data that are cut short are refused`, async () => {
    for (const length of [8, 20, bytes.length - 5]) {
      await assert.rejects(
        decompress(bytes.subarray(0, length)),
        { name: 'CompressionError' },
        `at ${length}`,
      );
    }
  });

  test(`${format} data that unpack to more than the limit are refused`, async () => {
    const error = { name: 'CompressionError', message: /more than is allowed/ };
    await assert.rejects(decompress(bytes, { limit: data.length - 1 }), error);
    assert.deepEqual(await decompress(bytes, { limit: data.length }), data);
  });
}

test('LZ4 data of several blocks are joined', async () => {
  const twice = Buffer.concat([lz4, lz4.subarray(4)]);
  assert.equal((await decompress(twice)).length, 2 * data.length);
});

test('an LZ4 match that reaches before the output is refused', async () => {
  // One block: token (1 literal, match of 4), literal, distance 2.
  const bytes = Uint8Array.of(2, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 65, 2, 0);
  await assert.rejects(decompress(bytes), { name: 'CompressionError', message: /damaged/ });
});

test('data in no known compression are refused', async () => {
  assert.equal(detectCompression(data), undefined);
  await assert.rejects(decompress(data), { name: 'CompressionError' });
});
