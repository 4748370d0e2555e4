export { type BlockBackend, SECTOR_BYTES } from './block-backend.ts';
export { Bus, openBus } from './bus.ts';
export type { Clock, Nanoseconds, Timer } from './clock.ts';
export type { AccessSize, Device, RegisterBank } from './device.ts';
export { type FileServer, MAX_FILE_MESSAGE_BYTES } from './file-server.ts';
export { type InterruptController, type InterruptLine, unconnectedLine } from './interrupt-line.ts';
export {
  type FrameOffload,
  GSO_NONE,
  GSO_TCP4,
  GSO_TCP6,
  type GsoKind,
  type Link,
  type LinkOffloads,
  type LinkReceiver,
  MAX_FRAME_BYTES,
  NO_OFFLOADS,
  PLAIN_FRAME,
} from './link.ts';
