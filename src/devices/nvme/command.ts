/**
 * An entry of a submission queue. NVM Express 1.4, figure 105.
 *
 * ```
 * dword 0  identifier 31:16  data pointer kind 15:14  fused 9:8  opcode 7:0
 *       1  namespace         6, 7 PRP 1     8, 9 PRP 2     10 to 15 of the command
 * ```
 */
export interface NvmeCommand {
  readonly opcode: number;
  readonly id: number;
  readonly namespace: number;
  readonly prp1: number;
  readonly prp2: number;
  readonly dw10: number;
  readonly dw11: number;
  readonly dw12: number;
  readonly dw13: number;
  readonly dw14: number;
  readonly dw15: number;
  /** fused, or with another kind of data pointer than PRPs: not served */
  readonly isForeign: boolean;
}

export function parseCommand(entry: DataView): NvmeCommand {
  const word = (index: number) => entry.getUint32(index * 4, true);
  const first = word(0);
  return {
    opcode: first & 0xff,
    id: first >>> 16,
    namespace: word(1),
    prp1: word(6) + word(7) * 2 ** 32,
    prp2: word(8) + word(9) * 2 ** 32,
    dw10: word(10),
    dw11: word(11),
    dw12: word(12),
    dw13: word(13),
    dw14: word(14),
    dw15: word(15),
    isForeign: (first & 0xc300) !== 0,
  };
}

/** A queue id of 16 bits, or half of a doubleword. */
export function low16(word: number): number {
  return word & 0xffff;
}
export function high16(word: number): number {
  return word >>> 16;
}
