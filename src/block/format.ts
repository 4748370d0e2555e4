/** Kinds of disk images, told by their first bytes. */
import { VivariumError } from '../util/mod.ts';

export type ImageFormat = 'raw' | 'qcow2';
export const IMAGE_FORMATS: readonly ImageFormat[] = ['raw', 'qcow2'];

/** Bytes from the start that tell the kind. */
export const PROBE_BYTES = 512;

const QCOW2_MAGIC = 'QFI\xfb';
/** Formats that others use and that are not read here. */
const foreign: readonly (readonly [name: string, at: number, magic: string])[] = [
  ['VMDK', 0, 'KDMV'],
  ['VMDK', 0, '# Disk DescriptorFile'],
  ['VHD', 0, 'conectix'],
  ['VHDX', 0, 'vhdxfile'],
  ['VDI', 0x40, '\x7f\x10\xda\xbe'],
  ['QED', 0, 'QED\0'],
  ['LUKS', 0, 'LUKS\xba\xbe'],
];

/** The format of an image by its first bytes, `PROBE_BYTES` of them; anything unknown is raw. */
export function probeFormat(head: Uint8Array): ImageFormat | { readonly foreign: string } {
  const startsWith = (at: number, magic: string) =>
    [...magic].every((letter, index) => head[at + index] === letter.charCodeAt(0));
  if (startsWith(0, QCOW2_MAGIC)) return 'qcow2';
  const other = foreign.find(([, at, magic]) => startsWith(at, magic));
  return other === undefined ? 'raw' : { foreign: other[0] };
}

/** As `probeFormat`; throws `disk-format` for an image of a kind that is not read here. */
export function requireFormat(head: Uint8Array, name: string): ImageFormat {
  const format = probeFormat(head);
  if (typeof format === 'string') return format;
  throw new VivariumError(
    'disk-format',
    `${name} is an image of the kind ${format.foreign}, which Vivarium does not read; convert it ` +
      'with: qemu-img convert -O qcow2',
  );
}
