/**
 * The header of a Linux bzImage (Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel
 * Header"). Left out: kernels older than protocol 2.10 (2009), which do not say how much memory they need.
 *
 *   0         boot sector and 16-bit setup code, (setup_sects + 1) * 512 bytes
 *   ..        protected-mode code: decompressor with the compressed kernel, the "payload", within
 *   ..        signature (optional)
 */
import { VivariumError } from '../../util/mod.ts';
import { viewOf } from './elf.ts';

const HEADER_MAGIC = 0x53726448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const LOADFLAG_LOADED_HIGH = 1 << 0;
const XLF_KERNEL_64 = 1 << 0; // has the 64-bit entry at 0x200
const PARAGRAPH_BYTES = 16;
const PROTOCOL_OLDEST = 0x020a;
const PROTOCOL_64BIT = 0x020c;

/** Offset of the setup header in the file and in boot_params. */
export const SETUP_HEADER = 0x1f1;

export interface BzImage {
  readonly image: Uint8Array;
  /** the setup header, from SETUP_HEADER to its end */
  readonly header: Uint8Array;
  /** the protected-mode code, to be loaded whole */
  readonly code: Uint8Array;
  /** compressed kernel, without the size that follows it; empty if there is none */
  readonly payload: Uint8Array;
  /** size of the unpacked kernel as the file claims it, in bytes */
  readonly unpackedBytes: number;
  /** entered in 64-bit mode; older and 32-bit kernels in protected mode */
  readonly is64Bit: boolean;
  readonly prefAddress: number;
  /** memory needed from the load address on, in bytes */
  readonly initBytes: number;
  readonly cmdlineLimit: number;
  /** highest address that an initial RAM disk may occupy */
  readonly initrdAddrMax: number;
}

export function isBzImage(image: Uint8Array): boolean {
  if (image.length < 0x206) return false;
  const view = viewOf(image);
  return view.getUint16(0x1fe, true) === BOOT_FLAG && view.getUint32(0x202, true) === HEADER_MAGIC;
}

/** Reads and checks the header; every range of the result lies within `image`. */
export function parseBzImage(image: Uint8Array): BzImage {
  if (image.length < 0x270) throw truncated();
  const view = viewOf(image);
  const protocol = view.getUint16(0x206, true);
  const isHigh = (view.getUint8(0x211) & LOADFLAG_LOADED_HIGH) !== 0;
  if (protocol < PROTOCOL_OLDEST || !isHigh) {
    throw new VivariumError(
      'kernel-too-old',
      'this Linux kernel is too old to be booted (before 2.6.31)',
    );
  }
  const setupBytes = ((view.getUint8(SETUP_HEADER) || 4) + 1) * 512;
  const codeBytes = view.getUint32(0x1f4, true) * PARAGRAPH_BYTES; // syssize
  const payloadStart = setupBytes + view.getUint32(0x248, true);
  const payloadEnd = payloadStart + view.getUint32(0x24c, true);
  // The size is in paragraphs: the last one need not be there whole.
  const codeEnd = setupBytes + codeBytes - (PARAGRAPH_BYTES - 1);
  if (image.length < Math.max(codeEnd, payloadEnd)) throw truncated();
  // Programs in the clothes of a kernel, such as memory testers, have no payload at all.
  const hasPayload = payloadEnd > payloadStart;
  if (codeBytes <= 0x200 || (hasPayload && payloadEnd - payloadStart < 8)) {
    throw new VivariumError('kernel-damaged', 'the Linux kernel has a damaged header');
  }
  const headerEnd = 0x202 + view.getUint8(0x201);
  return {
    image,
    header: image.subarray(SETUP_HEADER, Math.min(Math.max(headerEnd, 0x268), 0x290)),
    code: image.subarray(setupBytes, setupBytes + codeBytes),
    payload: hasPayload ? image.subarray(payloadStart, payloadEnd - 4) : new Uint8Array(0),
    unpackedBytes: hasPayload ? view.getUint32(payloadEnd - 4, true) : 0,
    is64Bit: protocol >= PROTOCOL_64BIT && (view.getUint16(0x236, true) & XLF_KERNEL_64) !== 0,
    prefAddress: Number(view.getBigUint64(0x258, true)),
    initBytes: view.getUint32(0x260, true),
    cmdlineLimit: view.getUint32(0x238, true),
    initrdAddrMax: view.getUint32(0x22c, true),
  };
}

function truncated(): VivariumError {
  return new VivariumError('kernel-truncated', 'the kernel file ends too early; it is incomplete');
}
