/**
 * A point-to-point Ethernet link: the contract between a network device and what answers it. Both ends have the same
 * interface.
 */

/** Segmentation that the receiver of a frame may have to do; numbers as in VIRTIO 1.2 section 5.1.6. */
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
export const PLAIN_FRAME: FrameOffload = { gso: GSO_NONE, headerBytes: 0, segmentBytes: 0 };

/** What an end accepts unfinished. */
export interface LinkOffloads {
  readonly checksum: boolean;
  readonly tcp4: boolean;
  readonly tcp6: boolean;
}

export const NO_OFFLOADS: LinkOffloads = { checksum: false, tcp4: false, tcp6: false };

/** The largest frame: an IP packet of 65,535 bytes and its Ethernet header. */
export const MAX_FRAME_BYTES = 65_535 + 14;

/** What receives at an end of a link. Everything is called from within `Link.poll`. */
export interface LinkReceiver {
  /** Takes a frame, whose bytes are lent for the time of the call. False to have it offered again later. */
  receive(frame: Uint8Array, offload: FrameOffload): boolean;
  /** The frames that were at hand have been offered. */
  settled(): void;
  /** The link has room again after `send` refused a frame. */
  ready(): void;
  /** Another station is at the other end now. */
  restarted(): void;
}

/** An end of a link. */
export interface Link {
  /** What the other end accepts now. */
  readonly offloads: LinkOffloads;
  /** The other end has taken every frame; false for long when it stands still. */
  readonly isDrained: boolean;
  /** Attaches what receives; one at a time. */
  connect(receiver: LinkReceiver): void;
  /** Tells the other end what this one accepts. */
  accept(offloads: LinkOffloads): void;
  /** Tells the other end that another station is here from now on; forgets what was on the way to it. */
  restart(): void;
  /**
   * Hands a frame to the other end; its bytes are the caller's again when the call returns. False when the link has
   * no room: nothing was sent, and `ready` will be called.
   */
  send(frame: Uint8Array, offload: FrameOffload): boolean;
  /** Offers what has arrived to the receiver. True when something was taken. */
  poll(): boolean;
}
