/** The structures that the Identify command returns. NVM Express 1.4, section 5.15. */
import { type BlockBackend, SECTOR_BYTES } from '../../bus/mod.ts';
import { MDTS_EXPONENT, NAMESPACE_ID, PAGE_BYTES, SECTOR_SHIFT, VERSION_1_4 } from './spec.ts';

const VENDOR = 0x1af4;
const MODEL = 'Vivarium NVMe disk';
const FIRMWARE = '1.0';
/** asynchronous event requests that may wait at a time, less one */
export const ASYNC_EVENT_LIMIT = 3;
const ONCS_COMPARE = 1 << 0;
const ONCS_DATASET_MANAGEMENT = 1 << 2;
const ONCS_WRITE_ZEROES = 1 << 3;
const KELVIN = 273;

/** What identifies a controller. */
export interface NvmeIdentity {
  /** up to 20 plain characters */
  readonly serial: string;
  /** 16 bytes that no other disk of the machine has */
  readonly uuid: Uint8Array;
}

export function identifyController({ serial, uuid }: NvmeIdentity): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, VENDOR, true);
  view.setUint16(2, VENDOR, true);
  putText(bytes, 4, 20, serial);
  putText(bytes, 24, 40, MODEL);
  putText(bytes, 64, 8, FIRMWARE);
  bytes[77] = MDTS_EXPONENT;
  view.setUint32(80, VERSION_1_4, true);
  bytes[111] = 1; // an I/O controller
  bytes[258] = 3; // abort command limit, less one
  bytes[259] = ASYNC_EVENT_LIMIT;
  bytes[260] = 0x03; // one firmware slot, read-only
  view.setUint16(266, KELVIN + 70, true);
  view.setUint16(268, KELVIN + 80, true);
  bytes[512] = 0x66; // submission queue entries are 2^6 bytes,
  bytes[513] = 0x44; // those of completion queues 2^4
  view.setUint32(516, 1, true); // namespaces
  view.setUint16(520, ONCS_COMPARE | ONCS_DATASET_MANAGEMENT | ONCS_WRITE_ZEROES, true);
  bytes[525] = 0x01; // a volatile write cache, which Flush empties
  const name = `nqn.2014-08.org.nvmexpress:uuid:${uuidText(uuid)}`;
  bytes.set(new TextEncoder().encode(name), 768);
  return bytes;
}

export function identifyNamespace(backend: BlockBackend): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  const sectors = BigInt(backend.bytes / SECTOR_BYTES);
  for (const at of [0, 8, 16]) view.setBigUint64(at, sectors, true);
  const cluster = Math.min(backend.clusterBytes / SECTOR_BYTES, 0x8000);
  bytes[24] = 1 << 4; // tells preferred sizes, which are less one
  view.setUint16(64, 7, true);
  view.setUint16(66, 7, true);
  view.setUint16(68, cluster - 1, true);
  view.setUint16(70, cluster - 1, true);
  view.setUint16(72, cluster - 1, true);
  if (backend.isReadOnly) bytes[99] = 1; // write protected
  bytes[130] = SECTOR_SHIFT;
  return bytes;
}

/** The list of namespaces above `after`. */
export function namespaceList(after: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  if (after < NAMESPACE_ID) bytes[0] = NAMESPACE_ID;
  return bytes;
}

/** Descriptors of the namespace: its UUID (type 3). */
export function namespaceDescriptors({ uuid }: NvmeIdentity): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  bytes[0] = 3;
  bytes[1] = uuid.length;
  bytes.set(uuid, 4);
  return bytes;
}

/** 16 bytes from a text, the same for the same text: FNV-1a, four times, marked as a UUID of version 8. */
export function uuidOf(text: string): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c_9dc5 ^ part;
    for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x0100_0193);
    view.setUint32(part * 4, hash);
  }
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x80);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  return new Uint8Array(view.buffer);
}

function uuidText(uuid: Uint8Array): string {
  const digits = [...uuid].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** ASCII, padded with blanks. */
function putText(bytes: Uint8Array, at: number, length: number, text: string): void {
  bytes.fill(0x20, at, at + length);
  bytes.set(new TextEncoder().encode(text).subarray(0, length), at);
}
