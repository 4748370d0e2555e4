export { type IpAddress, type IpFamily, isLoopback, parseAddress } from './address.ts';
export type { NetClock, NetTimer } from './clock.ts';
export { formatMac, parseMac } from './mac.ts';
export { CapturedLink, completeChecksum, pcapHeader, pcapPacket } from './pcap.ts';
export { createRingMemory, RingLink } from './ring/ring-link.ts';
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
