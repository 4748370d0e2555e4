export { type IpAddress, type IpFamily, isLoopback, parseAddress } from './address.ts';
export type { NetClock, NetTimer } from './clock.ts';
export {
  type NetworkConfig,
  parseNetworkConfig,
  type SwitchConfig,
} from './config.ts';
export { formatMac, parseMac } from './mac.ts';
export { CapturedLink, completeChecksum, pcapHeader, pcapPacket } from './pcap.ts';
export { createRingMemory, RingLink } from './ring/ring-link.ts';
export { type PeerEvents, type PeerStream, SwitchPort } from './switch/switch-port.ts';
export { PORT_ID_BYTES } from './switch/wire.ts';
export {
  type PortForward,
  parseForward,
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
