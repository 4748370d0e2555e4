/** What a disk has done since the machine began. */
export interface BlockCounters {
  reads: number;
  writes: number;
  flushes: number;
  discards: number;
  errors: number;
  bytesRead: number;
  bytesWritten: number;
}

export function newBlockCounters(): BlockCounters {
  return {
    reads: 0,
    writes: 0,
    flushes: 0,
    discards: 0,
    errors: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
}
