export { type IpAddress, type IpFamily, isLoopback, parseAddress } from './address.ts';
export type { NetClock, NetTimer } from './clock.ts';
export {
  type FrameOffload,
  GSO_NONE,
  GSO_TCP4,
  GSO_TCP6,
  type Link,
  type LinkOffloads,
  type LinkReceiver,
  MAX_FRAME_BYTES,
  NO_OFFLOADS,
  PLAIN,
} from './link.ts';
export { formatMac, parseMac } from './mac.ts';
export { CapturedLink, completeChecksum, pcapHeader, pcapPacket } from './pcap.ts';
export {
  type PortForward,
  parseForward,
  parseNetwork,
  type UserNetworkConfig,
} from './user/config.ts';
export type {
  AcceptStream,
  HostDatagramEvents,
  HostDatagrams,
  HostFailure,
  HostListener,
  HostSockets,
  HostStream,
  HostStreamEvents,
} from './user/host.ts';
export { type OpenForward, UserNetwork, type UserNetworkOptions } from './user/user-network.ts';
