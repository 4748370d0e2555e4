/** Ethernet addresses: 6 bytes, or their text `52:54:00:12:34:56`. */

export const MAC_BYTES = 6;
export const BROADCAST_MAC: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

export function formatMac(bytes: Uint8Array, offset = 0): string {
  return Array.from(bytes.subarray(offset, offset + MAC_BYTES), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join(':');
}

/** Undefined when `text` is no address of a single station. */
export function parseMac(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  const bytes = Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
  return isGroupMac(bytes) || bytes.every((byte) => byte === 0) ? undefined : bytes;
}

/** Multicast or broadcast. */
export function isGroupMac(bytes: Uint8Array, offset = 0): boolean {
  return ((bytes[offset] ?? 0) & 1) !== 0;
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  return left.every((byte, index) => byte === right[index]);
}
