/** True when all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  let at = 0;
  for (; at < length && (byteOffset + at) % 8 !== 0; at++) if (bytes[at] !== 0) return false;
  const wholes = (length - at) >> 3;
  if (wholes > 0) {
    const words = new Float64Array(buffer, byteOffset + at, wholes);
    // Every pattern of bits but those of zero and minus zero differs from zero.
    for (let word = 0; word < wholes; word++) {
      if (words[word] !== 0 || Object.is(words[word], -0)) return false;
    }
    at += wholes * 8;
  }
  for (; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}
