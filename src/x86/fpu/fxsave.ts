import type { Cpu, Helper } from '../cpu.ts';
import { GP, GuestFault } from '../fault.ts';
import { STATE } from '../state.ts';
import {
  imageMxcsr,
  LEGACY_XMM,
  loadX87,
  loadXmm,
  storeMxcsr,
  storeX87,
  storeXmm,
} from './legacy-area.ts';

/** Bits of the `mode` argument of the FXSAVE and XSAVE helpers. */
export const SAVE_WIDE_POINTERS = 1; // REX.W
export const SAVE_64BIT_MODE = 2; // sixteen XMM registers

/** EFER.FFXSR: FXSAVE and FXRSTOR of the 64-bit kernel leave the XMM registers out. APM Vol. 2, 3.1.7. */
const EFER_FFXSR = 1n << 14n;

/** How many XMM registers the image carries in this mode. */
export function xmmCount(mode: number): number {
  return (mode & SAVE_64BIT_MODE) !== 0 ? 16 : 8;
}

function fxsaveXmmCount(cpu: Cpu, mode: number): number {
  const fast = (cpu.state.efer & EFER_FFXSR) !== 0n;
  if (fast && (mode & SAVE_64BIT_MODE) !== 0 && cpu.state.cpl === 0) return 0;
  return xmmCount(mode);
}

/** #GP(0) unless `address` is a multiple of `bytes`. */
export function requireAligned(address: bigint, bytes: number): void {
  if ((address & BigInt(bytes - 1)) !== 0n) throw new GuestFault(GP);
}

/** The last of the 512 bytes that FXSAVE and FXRSTOR access, used or not. */
const LAST_BYTE = 511n;

/** FXSAVE: x87 and SSE state to 512 bytes at `address`. SDM Vol. 2A "FXSAVE". */
function fxsave(cpu: Cpu, address: bigint, mode: number): void {
  requireAligned(address, 16);
  const count = fxsaveXmmCount(cpu, mode);
  const image = new Uint8Array(LEGACY_XMM + count * 16);
  storeX87(cpu.state, image, (mode & SAVE_WIDE_POINTERS) !== 0);
  storeMxcsr(cpu.state, image);
  storeXmm(cpu.state, image, count);
  cpu.translate(BigInt.asUintN(64, address + LAST_BYTE), 'write');
  cpu.writeBytes(address, image);
}

/** FXRSTOR: the reverse; #GP(0) when the image's MXCSR has reserved bits. SDM Vol. 2A "FXRSTOR". */
function fxrstor(cpu: Cpu, address: bigint, mode: number): void {
  requireAligned(address, 16);
  const count = fxsaveXmmCount(cpu, mode);
  const image = new Uint8Array(LEGACY_XMM + count * 16);
  cpu.translate(BigInt.asUintN(64, address + LAST_BYTE), 'read');
  cpu.readBytes(address, image);
  const mxcsr = imageMxcsr(image);
  if (mxcsr === undefined) throw new GuestFault(GP);
  loadX87(cpu.state, image, (mode & SAVE_WIDE_POINTERS) !== 0);
  cpu.state.set32(STATE.mxcsr, mxcsr);
  loadXmm(cpu.state, image, count);
}

export const fxsaveHelpers: Record<string, Helper> = {
  fxsave: {
    params: ['i64', 'i32'],
    run: (cpu, address: bigint, mode: number) => fxsave(cpu, BigInt.asUintN(64, address), mode),
  },
  fxrstor: {
    params: ['i64', 'i32'],
    run: (cpu, address: bigint, mode: number) => fxrstor(cpu, BigInt.asUintN(64, address), mode),
  },
};
