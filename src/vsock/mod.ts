export type { HostPipe, HostPipeEvents, VsockHost } from './host.ts';
export { type HostConnection, VsockHub, type VsockHubOptions } from './hub.ts';
export { HOST_CID, PACKET_HEADER_BYTES } from './packet.ts';
