/**
 * A point-to-point Ethernet link between a network device and what answers it. Both ends have the same interface.
 */

/** Segmentation that the receiver of a frame may have to do; numbers as in virtio 1.2 section 5.1.6. */
export const GSO_NONE = 0;
export const GSO_TCP4 = 1;
export const GSO_TCP6 = 4;
export type GsoKind = typeof GSO_NONE | typeof GSO_TCP4 | typeof GSO_TCP6;

/** What of a frame is left undone because sender and receiver share a memory. */
export interface FrameOffload {
  /**
   * Where the checksum is still to be put, or undefined when it is complete: the sum runs from `start` to the end
   * of the frame and goes to `start + offset`, where the sum of the pseudo header stands.
   */
  readonly checksum?: { readonly start: number; readonly offset: number } | undefined;
  readonly gso: GsoKind;
  /** bytes before the payload of TCP, when `gso` is not none */
  readonly headerBytes: number;
  /** bytes of payload in each segment, when `gso` is not none */
  readonly segmentBytes: number;
}

/** A frame with nothing left undone. */
export const PLAIN: FrameOffload = { gso: GSO_NONE, headerBytes: 0, segmentBytes: 0 };

/** What the other end accepts unfinished. */
export interface LinkOffloads {
  readonly checksum: boolean;
  readonly tcp4: boolean;
  readonly tcp6: boolean;
}

export const NO_OFFLOADS: LinkOffloads = { checksum: false, tcp4: false, tcp6: false };

/** The largest frame: an IPv4 packet of 65,535 bytes and its Ethernet header. */
export const MAX_FRAME_BYTES = 65_535 + 14;

/** The receiving side of an end of a link. */
export interface LinkReceiver {
  /** Takes a frame. The bytes are lent for the time of the call. */
  receive(frame: Uint8Array, offload: FrameOffload): void;
  /** The frames that were at hand are all delivered. */
  settled(): void;
  /** The link has room again after `send` refused a frame. */
  ready(): void;
}

export interface Link {
  /** Offloads that the other end accepts now. */
  readonly offloads: LinkOffloads;
  /** The other end has taken every frame; false for long when it is paused. */
  readonly isDrained: boolean;
  /**
   * Hands a frame to the other end; its bytes are the caller's again when the call returns. False when the link has
   * no room: nothing was sent, and `ready` will be called.
   */
  send(frame: Uint8Array, offload: FrameOffload): boolean;
  /** Attaches what receives; one at a time. */
  connect(receiver: LinkReceiver): void;
}
