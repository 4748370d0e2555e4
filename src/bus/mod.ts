export { type BlockBackend, SECTOR_BYTES } from './block-backend.ts';
export { Bus, openBus } from './bus.ts';
export type { Clock, Nanoseconds, Timer } from './clock.ts';
export type { AccessSize, Device, RegisterBank } from './device.ts';
export { type InterruptController, type InterruptLine, unconnectedLine } from './interrupt-line.ts';
