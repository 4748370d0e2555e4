/**
 * Walks descriptor tables. VIRTIO 1.2, section 2.7.5.
 *
 * ```
 * 0 address (8)   8 length (4)   c flags (2): 0 next  1 write  2 indirect   e next (2)
 * ```
 */
import type { GuestMemory } from '../../../memory/mod.ts';
import type { GuestBuffer } from '../../guest-buffers.ts';
import {
  CHAIN_MAX_BYTES,
  CHAIN_MAX_DESCRIPTORS,
  VIRTQ_DESC_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '../spec.ts';
import { DescriptorChain } from './chain.ts';

const scratch = new Uint8Array(VIRTQ_DESC_BYTES);
const descriptor = new DataView(scratch.buffer);

/** Where descriptors are read from. */
interface Table {
  readonly gpa: number;
  readonly entries: number;
}

/**
 * Collects the chain that begins at `head`, or says in a few words what is wrong with it. Every buffer
 * of a chain lies in RAM; loops and oversized chains end at a bound.
 */
export function walkDescriptors(
  memory: GuestMemory,
  ring: Table,
  head: number,
  allowIndirect: boolean,
): DescriptorChain | string {
  const read: GuestBuffer[] = [];
  const write: GuestBuffer[] = [];
  let table = ring;
  let isIndirect = false;
  let index = head;
  let left = CHAIN_MAX_BYTES;
  for (let count = 0; count < CHAIN_MAX_DESCRIPTORS; count++) {
    if (index >= table.entries) return 'a descriptor index beyond its table';
    memory.read(table.gpa + index * VIRTQ_DESC_BYTES, scratch);
    const gpa = descriptor.getUint32(0, true) + descriptor.getUint32(4, true) * 2 ** 32;
    const bytes = descriptor.getUint32(8, true);
    const flags = descriptor.getUint16(12, true);
    const next = descriptor.getUint16(14, true);
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (!allowIndirect || isIndirect) return 'an indirect descriptor out of place';
      if (flags & VIRTQ_DESC_F_NEXT) return 'an indirect descriptor with a successor';
      const entries = bytes / VIRTQ_DESC_BYTES;
      if (!Number.isInteger(entries) || entries < 1 || entries > CHAIN_MAX_DESCRIPTORS) {
        return 'an indirect table of a bad size';
      }
      if (!memory.contains(gpa, bytes)) return 'an indirect table outside RAM';
      table = { gpa, entries };
      isIndirect = true;
      index = 0;
      continue;
    }
    if (!memory.contains(gpa, bytes)) return 'a buffer outside RAM';
    left -= bytes;
    if (left < 0) return 'a chain of 4 GiB or more';
    if (flags & VIRTQ_DESC_F_WRITE) write.push({ gpa, bytes });
    else if (write.length > 0) return 'a readable buffer after a writable one';
    else read.push({ gpa, bytes });
    if ((flags & VIRTQ_DESC_F_NEXT) === 0) return new DescriptorChain(memory, head, read, write);
    index = next;
  }
  return 'a chain that is too long or loops';
}
