/**
 * The header before each frame. VIRTIO 1.2, section 5.1.6.
 *
 * ```
 * 0 flags   1 gso type   2 header length   4 gso size   6 checksum start   8 checksum offset   a buffers
 * ```
 */
import {
  type FrameOffload,
  GSO_NONE,
  GSO_TCP4,
  GSO_TCP6,
  type GsoKind,
  PLAIN_FRAME,
} from '../../../bus/mod.ts';
import {
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
  VIRTIO_NET_HDR_BYTES,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
} from './spec.ts';

const NEEDED: ReadonlyMap<number, bigint> = new Map([
  [GSO_TCP4, VIRTIO_NET_F_HOST_TSO4],
  [GSO_TCP6, VIRTIO_NET_F_HOST_TSO6],
]);

/** What the driver leaves undone of a frame of `frameBytes`; undefined when it may not. */
export function readHeader(
  header: DataView,
  frameBytes: number,
  features: bigint,
): FrameOffload | undefined {
  const needsChecksum = (header.getUint8(0) & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  const gso = header.getUint8(1) & ~VIRTIO_NET_HDR_GSO_ECN;
  if (!needsChecksum) return gso === GSO_NONE ? PLAIN_FRAME : undefined;
  const start = header.getUint16(6, true);
  const offset = header.getUint16(8, true);
  if ((features & VIRTIO_NET_F_CSUM) === 0n || start + offset + 2 > frameBytes) return undefined;
  const checksum = { start, offset };
  if (gso === GSO_NONE) return { ...PLAIN_FRAME, checksum };
  const needed = NEEDED.get(gso);
  const segmentBytes = header.getUint16(4, true);
  if (needed === undefined || (features & needed) === 0n || segmentBytes === 0) return undefined;
  return { checksum, gso: gso as GsoKind, headerBytes: header.getUint16(2, true), segmentBytes };
}

/** Writes the header of a frame that fills `buffers` buffers of the driver. */
export function writeHeader(header: DataView, offload: FrameOffload, buffers: number): void {
  const { checksum, gso } = offload;
  for (let at = 0; at < VIRTIO_NET_HDR_BYTES; at += 4) header.setUint32(at, 0);
  if (checksum !== undefined) {
    header.setUint8(0, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    header.setUint16(6, checksum.start, true);
    header.setUint16(8, checksum.offset, true);
  }
  header.setUint8(1, gso);
  header.setUint16(2, offload.headerBytes, true);
  header.setUint16(4, offload.segmentBytes, true);
  header.setUint16(10, buffers, true);
}
