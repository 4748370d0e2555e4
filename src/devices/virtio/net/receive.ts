/** Frames from the link to the driver. VIRTIO 1.2, section 5.1.6.4. */
import type { FrameOffload } from '../../../bus/mod.ts';
import type { DescriptorChain } from '../queue/chain.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import { writeHeader } from './header.ts';
import { VIRTIO_NET_HDR_BYTES } from './spec.ts';

const header = new Uint8Array(VIRTIO_NET_HDR_BYTES);
const headerView = new DataView(header.buffer);

/**
 * Puts a frame into the driver's next buffers: one that holds all of it, or, when `mayMerge`, as many as it takes.
 * `'later'` when the driver has too few now; `'dropped'` when it can never have enough.
 */
export function receiveFrame(
  queue: Virtqueue,
  frame: Uint8Array,
  offload: FrameOffload,
  mayMerge: boolean,
): 'done' | 'later' | 'dropped' {
  const total = VIRTIO_NET_HDR_BYTES + frame.length;
  const chains: DescriptorChain[] = [];
  let room = 0;
  while (room < total) {
    const chain = chains.length === 0 || mayMerge ? queue.next() : undefined;
    if (chain === undefined) {
      if (chains.length > 0 && !mayMerge) {
        queue.complete(chains[0] as DescriptorChain, 0); // the driver's buffers are too small
        return 'dropped';
      }
      queue.putBack(chains.length);
      return 'later';
    }
    chains.push(chain);
    room += chain.writable;
  }
  writeHeader(headerView, offload, chains.length);
  let done = 0;
  const filled = chains.map((chain) => {
    let bytesWritten = 0;
    if (done < VIRTIO_NET_HDR_BYTES) {
      bytesWritten = chain.write(0, header.subarray(done));
      done += bytesWritten;
    }
    if (done >= VIRTIO_NET_HDR_BYTES) {
      const count = chain.write(bytesWritten, frame.subarray(done - VIRTIO_NET_HDR_BYTES));
      bytesWritten += count;
      done += count;
    }
    return { chain, bytesWritten };
  });
  queue.completeAll(filled);
  return 'done';
}
