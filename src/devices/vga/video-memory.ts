/** What a graphics card needs of its memory: `DeviceMemory` on a board, plain bytes in a test. */
export interface VideoMemory {
  readonly bytes: Uint8Array;
  /** The card itself, not the processor, has changed `count` bytes. */
  changed(offset: number, count: number): void;
}

/** Memory of a card that stands alone. */
export function plainVideoMemory(bytes: number): VideoMemory {
  return { bytes: new Uint8Array(bytes), changed: () => {} };
}
