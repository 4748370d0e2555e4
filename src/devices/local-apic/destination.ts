/**
 * Logical destinations. Intel SDM Vol. 3A, "Logical Destination Mode" and "Logical Destination Mode in
 * x2APIC Mode".
 */

/** In x2APIC mode the logical id follows from the id: cluster in 31:16, one bit in 15:0. */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}

export function matchesX2apicLogical(destination: number, id: number): boolean {
  const own = x2apicLogicalId(id);
  return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
}

/** `ldr` and `dfr` as in the registers: a flat mask of eight, or clusters of four. */
export function matchesXapicLogical(destination: number, ldr: number, dfr: number): boolean {
  const own = ldr >>> 24;
  if (dfr >>> 28 === 0xf) return (destination & own) !== 0;
  return destination >>> 4 === own >>> 4 && (destination & own & 0x0f) !== 0;
}
