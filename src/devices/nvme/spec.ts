/** Registers, commands and statuses of "NVM Express Base Specification, Revision 1.4". */

/** Controller registers, figure 78. 64-bit registers are two of 32. */
export const REGISTER = {
  capLow: 0x00,
  capHigh: 0x04,
  version: 0x08,
  maskSet: 0x0c,
  maskClear: 0x10,
  configuration: 0x14,
  status: 0x1c,
  adminQueueAttributes: 0x24,
  adminSqLow: 0x28,
  adminSqHigh: 0x2c,
  adminCqLow: 0x30,
  adminCqHigh: 0x34,
} as const;

export const VERSION_1_4 = 0x0001_0400;

/** CAP: contiguous queues, time-out in units of 500 ms, the NVM command set, pages of 4 KiB. */
export const MAX_QUEUE_ENTRIES = 1024;
const TIMEOUT_HALF_SECONDS = 20;
export const CAP_LOW = (MAX_QUEUE_ENTRIES - 1) | (1 << 16) | (TIMEOUT_HALF_SECONDS << 24);
export const CAP_HIGH = 1 << 5;

export const CC_ENABLE = 1 << 0;
/** command set, page size and arbitration: only zero is supported */
export const CC_CHOICES = 0x3ff0;
export const CC_SHUTDOWN = 0xc000;
export const CC_WRITABLE = 0x00ff_fff1;
export const CSTS_READY = 1 << 0;
export const CSTS_FATAL = 1 << 1;
export const CSTS_SHUTDOWN_DONE = 2 << 2;

/** Places in BAR 0. */
export const DOORBELLS = 0x1000;
export const MSIX_TABLE = 0x2000;
export const MSIX_PENDING = 0x3000;
export const BAR_BYTES = 0x4000;

export const PAGE_BYTES = 4096;
export const SQ_ENTRY_BYTES = 64;
export const CQ_ENTRY_BYTES = 16;
/** I/O queue pairs that a controller can offer at most */
export const MAX_IO_QUEUES = 16;
/** largest transfer: 2^8 pages */
export const MDTS_EXPONENT = 8;
export const MAX_TRANSFER_BYTES = PAGE_BYTES << MDTS_EXPONENT;

/** Admin commands, figure 139. */
export const ADMIN = {
  deleteSq: 0x00,
  createSq: 0x01,
  getLogPage: 0x02,
  deleteCq: 0x04,
  createCq: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEvent: 0x0c,
} as const;

/** NVM commands, figure 346. */
export const NVM = {
  flush: 0x00,
  write: 0x01,
  read: 0x02,
  compare: 0x05,
  writeZeroes: 0x08,
  datasetManagement: 0x09,
} as const;

/** Status: type in bits 10:8, code in bits 7:0; figures 126 to 131. */
export const STATUS = {
  success: 0x000,
  invalidOpcode: 0x001,
  invalidField: 0x002,
  dataTransferError: 0x004,
  internalError: 0x006,
  invalidNamespace: 0x00b,
  invalidPrpOffset: 0x013,
  lbaOutOfRange: 0x080,
  capacityExceeded: 0x081,
  completionQueueInvalid: 0x100,
  invalidQueueId: 0x101,
  invalidQueueSize: 0x102,
  asyncEventLimit: 0x105,
  invalidVector: 0x108,
  invalidLogPage: 0x109,
  invalidQueueDeletion: 0x10c,
  featureNotSaveable: 0x10d,
  featureNotChangeable: 0x10e,
  writeFault: 0x280,
  readError: 0x281,
  compareFailure: 0x285,
  readOnlyRange: 0x182,
} as const;
/** set in a completion: the command would fail again */
export const DO_NOT_RETRY = 1 << 14;

export const NAMESPACE_ID = 1;
export const ALL_NAMESPACES = 0xffff_ffff;
export const SECTOR_SHIFT = 9;
