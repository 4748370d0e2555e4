/**
 * Commands of the control queue. VIRTIO 1.2, section 5.1.6.5: class, command, data, and a byte for the answer.
 *
 * The link is point to point: nothing arrives that is not for this station or its network, so the settings of the
 * receive filter are agreed to and change nothing.
 */
import type { DescriptorChain } from '../queue/chain.ts';
import {
  VIRTIO_NET_CTRL_GUEST_OFFLOADS,
  VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
  VIRTIO_NET_CTRL_MAC,
  VIRTIO_NET_CTRL_MAC_ADDR_SET,
  VIRTIO_NET_CTRL_MAC_TABLE_SET,
  VIRTIO_NET_CTRL_MQ,
  VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
  VIRTIO_NET_CTRL_RX,
  VIRTIO_NET_CTRL_RX_NOBCAST,
  VIRTIO_NET_ERR,
  VIRTIO_NET_OK,
} from './spec.ts';

/** What commands change; each answers false when that cannot be. */
export interface ControlTarget {
  setMac(mac: Uint8Array): boolean;
  setQueuePairs(pairs: number): boolean;
  setGuestOffloads(offloads: bigint): boolean;
}

/** Carries out the command in `chain`; returns the bytes written, or undefined when it is malformed. */
export function serveControl(chain: DescriptorChain, target: ControlTarget): number | undefined {
  if (chain.readable < 2 || chain.writable < 1) return undefined;
  // The longest command that is looked into has 8 bytes of data.
  const command = new Uint8Array(Math.min(chain.readable, 2 + 8));
  chain.read(0, command);
  const isDone = obey(command[0] as number, command[1] as number, command.subarray(2), target);
  chain.write(0, Uint8Array.of(isDone ? VIRTIO_NET_OK : VIRTIO_NET_ERR));
  return 1;
}

function obey(kind: number, command: number, data: Uint8Array, target: ControlTarget): boolean {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  switch (kind) {
    case VIRTIO_NET_CTRL_RX:
      return command <= VIRTIO_NET_CTRL_RX_NOBCAST && data.length >= 1;
    case VIRTIO_NET_CTRL_MAC:
      if (command === VIRTIO_NET_CTRL_MAC_TABLE_SET) return true;
      if (command !== VIRTIO_NET_CTRL_MAC_ADDR_SET || data.length < 6) return false;
      return target.setMac(data.subarray(0, 6));
    case VIRTIO_NET_CTRL_MQ:
      if (command !== VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || data.length < 2) return false;
      return target.setQueuePairs(view.getUint16(0, true));
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
      if (command !== VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || data.length < 8) return false;
      return target.setGuestOffloads(view.getBigUint64(0, true));
    default:
      return false;
  }
}
