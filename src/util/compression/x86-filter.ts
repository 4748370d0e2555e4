/**
 * The x86 "branch-call-jump" filter of xz (.xz file format, 5.3.2), undone in place.
 *
 * Before compression the filter replaced the relative target of each CALL (E8) and JMP (E9) by the
 * absolute one, so that calls to one function look alike. It knows no instruction lengths; it takes
 * for a branch what has a plausible target, whose top byte is 00 or FF, and passes over an opcode
 * byte that may itself be part of the target of a branch up to three bytes before. `recent` tells
 * which of the last three bytes were such opcodes: bit 0 the nearest.
 */

const CALL_OR_JUMP = 0xe8; // with bit 0 for the other

/** Number of the highest target byte that an earlier opcode casts doubt on, by `recent`. */
const doubtfulBytes = [0, 1, 2, 2, 3, 3, 3, 3] as const;
/** False for patterns of opcodes after which the filter converts nothing, by `recent`. */
const canConvert = [true, true, true, false, true, false, false, false] as const;

/** Restores relative targets. The code is taken to lie at address 0, as in all of Linux. */
export function undoX86Filter(code: Uint8Array): void {
  let recent = 0;
  let lastOpcode = -1;
  const end = code.length - 4;
  for (let at = 0; at < end; at++) {
    if ((code[at]! & 0xfe) !== CALL_OR_JUMP) continue;
    const gap = at - lastOpcode;
    recent = gap > 3 ? 0 : (recent << (gap - 1)) & 7;
    lastOpcode = at;
    const doubtful = doubtfulBytes[recent]!;
    const isOverlapped =
      recent !== 0 && (!canConvert[recent] || isSignByte(code[at + 4 - doubtful]!));
    if (isOverlapped || !isSignByte(code[at + 4]!)) {
      recent = (recent << 1) | 1;
      continue;
    }
    writeTarget(code, at + 1, relativeTarget(readTarget(code, at + 1), at + 5, doubtful));
    at += 4;
  }
}

function relativeTarget(absolute: number, next: number, doubtful: number): number {
  let target = absolute;
  for (;;) {
    const relative = (target - next) | 0;
    // The filter repeated its step where the result would have hidden an earlier branch.
    const shift = 24 - doubtful * 8;
    if (doubtful === 0 || !isSignByte((relative >>> shift) & 0xff)) {
      return (relative << 7) >> 7; // 25 bits, sign extended
    }
    target = relative ^ (2 ** (32 - doubtful * 8) - 1);
  }
}

function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

function readTarget(code: Uint8Array, at: number): number {
  return code[at]! | (code[at + 1]! << 8) | (code[at + 2]! << 16) | (code[at + 3]! << 24);
}

function writeTarget(code: Uint8Array, at: number, target: number): void {
  for (let byte = 0; byte < 4; byte++) code[at + byte] = target >>> (byte * 8);
}
