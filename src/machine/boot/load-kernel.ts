/**
 * The machine's boot loader: finds out by content what an image is, places it with its RAM disk and
 * tables in guest memory, and returns the state in which the first vCPU starts.
 *
 * Compressed kernels: run `unpackKernel` on the image first. A bzImage that was not unpacked boots
 * all the same, and unpacks itself in the guest, which takes longer.
 */
import { VivariumError } from '../../util/mod.ts';
import type { BootState, LoadOptions } from './boot-state.ts';
import { isBzImage, parseBzImage } from './bzimage.ts';
import { isElf, parseElf } from './elf.ts';
import { ImageWriter } from './image-writer.ts';
import { isUncompressedLinux, loadCompressed, loadUncompressed } from './linux.ts';
import { loadMultiboot, multibootHeader } from './multiboot.ts';
import { loadPvh, pvhEntry } from './pvh.ts';

/**
 * Loads a kernel. Throws a `VivariumError` with one of the codes `not-a-kernel`, `kernel-truncated`,
 * `kernel-damaged`, `kernel-foreign`, `kernel-too-old`, `kernel-demands`,
 * `kernel-address`, `memory-too-small`, `cmdline-too-long`, `cmdline-invalid`.
 */
export function loadKernel(image: Uint8Array, options: LoadOptions): BootState {
  const writer = new ImageWriter(options);
  if (isBzImage(image)) return loadCompressed(parseBzImage(image), writer, options);
  if (isElf(image)) return loadElf(image, writer, options);
  const header = multibootHeader(image);
  if (header !== undefined) return loadMultiboot(image, header, writer, options);
  throw notAKernel(image);
}

function loadElf(image: Uint8Array, writer: ImageWriter, options: LoadOptions): BootState {
  const elf = parseElf(image);
  const pvh = pvhEntry(elf);
  if (pvh !== undefined) return loadPvh(image, elf, pvh, writer, options);
  const header = multibootHeader(image);
  if (header !== undefined) return loadMultiboot(image, header, writer, options);
  if (isUncompressedLinux(elf)) return loadUncompressed(image, elf, writer, options);
  throw new VivariumError(
    'not-a-kernel',
    'the file is an ELF program, but not a kernel that can be booted: it has neither a PVH note nor a multiboot header',
  );
}

function notAKernel(image: Uint8Array): VivariumError {
  let what = 'neither a bzImage nor an ELF file';
  if (image.length === 0) what = 'empty';
  else if (isText(image.subarray(0, 512))) what = 'a text file';
  return new VivariumError('not-a-kernel', `the kernel file is not a kernel: it is ${what}`);
}

function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 || (byte >= 0x07 && byte <= 0x0d) || byte === 0x1b);
}
