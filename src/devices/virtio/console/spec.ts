/** Console. VIRTIO 1.2, section 5.3. */

export const VIRTIO_CONSOLE_F_SIZE = 1n << 0n;
export const VIRTIO_CONSOLE_F_MULTIPORT = 1n << 1n;
export const VIRTIO_CONSOLE_F_EMERG_WRITE = 1n << 2n;

/** Configuration: columns (2), rows (2), ports (4), emergency write (4). */
export const CONFIG_BYTES = 12;
export const CONFIG_EMERGENCY = 8;

/** Messages on the control queues: port (4), event (2), value (2), then a name; section 5.3.6.2. */
export const CONTROL_BYTES = 8;
export const CONTROL = {
  deviceReady: 0,
  portAdd: 1,
  portRemove: 2,
  portReady: 3,
  consolePort: 4,
  resize: 5,
  portOpen: 6,
  portName: 7,
} as const;

/** Queues: port 0, then control, then the others; each pair is receive and transmit. */
export const CONTROL_RECEIVE = 2;
export const CONTROL_TRANSMIT = 3;
export function receiveQueue(port: number): number {
  return port === 0 ? 0 : 2 + 2 * port;
}
/** The port whose queue this is, and its direction; undefined for control. */
export function portOf(queue: number): { port: number; isReceive: boolean } | undefined {
  if (queue === CONTROL_RECEIVE || queue === CONTROL_TRANSMIT) return undefined;
  return { port: queue < 2 ? 0 : (queue >> 1) - 1, isReceive: (queue & 1) === 0 };
}
