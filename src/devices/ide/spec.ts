/**
 * Registers and commands of ATA and ATAPI. ATA/ATAPI-6 (T13/1410D), chapters 7 "Interface register
 * definitions" and 8 "Command descriptions".
 */

export const STATUS = {
  ERR: 0x01,
  DRQ: 0x08,
  /** seek complete, or service */
  DSC: 0x10,
  DF: 0x20,
  DRDY: 0x40,
  BSY: 0x80,
} as const;

export const ERROR = { ABRT: 0x04, IDNF: 0x10, UNC: 0x40 } as const;

export const CONTROL = { nIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

export const DEVICE = { head: 0x0f, drive1: 0x10, LBA: 0x40 } as const;

/** Offsets of the command block. */
export const REGISTER = {
  data: 0,
  /** read: error */
  features: 1,
  count: 2,
  lbaLow: 3,
  lbaMid: 4,
  lbaHigh: 5,
  device: 6,
  /** read: status */
  command: 7,
} as const;

export const COMMAND = {
  deviceReset: 0x08,
  recalibrate: 0x10,
  readSectors: 0x20,
  readSectorsOnce: 0x21,
  readSectorsExt: 0x24,
  readDmaExt: 0x25,
  readNativeMaxExt: 0x27,
  readMultipleExt: 0x29,
  writeSectors: 0x30,
  writeSectorsOnce: 0x31,
  writeSectorsExt: 0x34,
  writeDmaExt: 0x35,
  writeMultipleExt: 0x39,
  verifySectors: 0x40,
  verifySectorsOnce: 0x41,
  verifySectorsExt: 0x42,
  seek: 0x70,
  diagnostic: 0x90,
  initializeParameters: 0x91,
  packet: 0xa0,
  identifyPacket: 0xa1,
  readMultiple: 0xc4,
  writeMultiple: 0xc5,
  setMultiple: 0xc6,
  readDma: 0xc8,
  writeDma: 0xca,
  standbyImmediate: 0xe0,
  idleImmediate: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  checkPower: 0xe5,
  sleep: 0xe6,
  flushCache: 0xe7,
  flushCacheExt: 0xea,
  identify: 0xec,
  setFeatures: 0xef,
  readNativeMax: 0xf8,
} as const;

/** Writes `text` as ATA strings are: space-filled, the bytes of each word swapped. */
export function putString(words: Uint16Array, at: number, count: number, text: string): void {
  const padded = text.padEnd(2 * count).slice(0, 2 * count);
  for (let word = 0; word < count; word++) {
    words[at + word] = (padded.charCodeAt(2 * word) << 8) | padded.charCodeAt(2 * word + 1);
  }
}

/** Words as they pass the data register. */
export function wordBytes(words: Uint16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * words.length);
  words.forEach((word, index) => {
    bytes[2 * index] = word;
    bytes[2 * index + 1] = word >>> 8;
  });
  return bytes;
}
