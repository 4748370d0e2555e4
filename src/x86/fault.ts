/**
 * An exception the guest sees. Thrown by helpers (it is not an `Error`: no stack is captured) and turned
 * into a delivery by the engine. SDM Vol. 3A chapter 6.
 */
export class GuestFault {
  readonly vector: number;
  /** pushed for the vectors that have one */
  readonly errorCode: number;
  /** linear address for CR2, page faults only */
  readonly address: bigint | undefined;

  constructor(vector: number, errorCode = 0, address?: bigint) {
    this.vector = vector;
    this.errorCode = errorCode;
    this.address = address;
  }
}

export const DE = 0;
export const DB = 1;
export const NMI = 2;
export const BP = 3;
export const OF = 4;
export const BR = 5;
export const UD = 6;
export const NM = 7;
export const DF = 8;
export const TS = 10;
export const NP = 11;
export const SSF = 12;
export const GP = 13;
export const PF = 14;
export const MF = 16;
export const AC = 17;
export const MC = 18;
export const XM = 19;
/**
 * No exception: a data breakpoint met an access whose instruction must be run again by itself, so that the
 * trap comes right behind it.
 */
export const WATCHED = 0x100;
