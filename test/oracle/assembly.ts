import { EXIT_ADDRESS, EXIT32_ADDRESS } from './layout.ts';

/** How a case ends without touching a register or a flag: a jump to its end. */
export function endJump(bits: 32 | 64): Uint8Array {
  if (bits === 64) {
    // JMP [RIP+0]
    const bytes = new Uint8Array(14);
    bytes.set([0xff, 0x25]);
    new DataView(bytes.buffer).setBigUint64(6, EXIT_ADDRESS, true);
    return bytes;
  }
  // JMP 0033:EXIT32_ADDRESS
  const bytes = new Uint8Array(7);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0xea);
  view.setUint32(1, EXIT32_ADDRESS, true);
  view.setUint16(5, 0x33, true);
  return bytes;
}
