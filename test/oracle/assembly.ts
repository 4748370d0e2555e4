import { EXIT_ADDRESS } from './layout.ts';

/** JMP [RIP+0] followed by EXIT_ADDRESS: how a case ends without touching a register or a flag. */
export function endJump(): Uint8Array {
  const bytes = new Uint8Array(14);
  bytes.set([0xff, 0x25]);
  new DataView(bytes.buffer).setBigUint64(6, EXIT_ADDRESS, true);
  return bytes;
}
