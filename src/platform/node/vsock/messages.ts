/** What the thread of a guest's sockets is given when it starts. */
export interface VsockStart {
  /** of the Unix socket through which programs of the host reach the guest */
  readonly path: string;
  readonly cid: number;
  /** memory of a `RingLink`, of which this thread is end 1 */
  readonly link: SharedArrayBuffer;
  /** one word that counts what the machine has for this thread */
  readonly doorbell: SharedArrayBuffer;
  /** the `ControlBlock` of the machine, to wake it */
  readonly control: SharedArrayBuffer;
}

/** What it tells, once. */
export type VsockMessage =
  | { readonly kind: 'open' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };
