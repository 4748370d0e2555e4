/** What Get Log Page returns. NVM Express 1.4, section 5.14. */
import { SECTOR_BYTES } from '../../bus/mod.ts';
import type { BlockCounters } from '../block-counters.ts';
import { PAGE_BYTES } from './spec.ts';

const LOG_ERRORS = 0x01;
const LOG_HEALTH = 0x02;
const LOG_FIRMWARE = 0x03;
/** data units of the health log: thousands of sectors */
const DATA_UNIT_BYTES = 1000 * SECTOR_BYTES;
const TEMPERATURE_KELVIN = 303;

/** The log `page`, or undefined when there is none. */
export function logPage(page: number, counters: BlockCounters): Uint8Array | undefined {
  switch (page) {
    case LOG_ERRORS:
      return new Uint8Array(PAGE_BYTES);
    case LOG_HEALTH:
      return healthLog(counters);
    case LOG_FIRMWARE: {
      const log = new Uint8Array(512);
      log[0] = 1; // the active slot
      log.set(new TextEncoder().encode('1.0     '), 8);
      return log;
    }
    default:
      return undefined;
  }
}

function healthLog(counters: BlockCounters): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  view.setUint16(1, TEMPERATURE_KELVIN, true);
  bytes[3] = 100; // per cent of spare blocks left
  bytes[4] = 10;
  const units = (count: number) => BigInt(Math.ceil(count / DATA_UNIT_BYTES));
  view.setBigUint64(32, units(counters.bytesRead), true);
  view.setBigUint64(48, units(counters.bytesWritten), true);
  view.setBigUint64(64, BigInt(counters.reads), true);
  view.setBigUint64(80, BigInt(counters.writes), true);
  return bytes;
}
