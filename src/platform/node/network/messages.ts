import type { NetworkConfig, OpenForward } from '../../../net/mod.ts';

/** What a network's thread is given when it starts. */
export interface NetworkStart {
  readonly config: NetworkConfig;
  /** memory of a `RingLink`, of which the network is end 1 */
  readonly link: SharedArrayBuffer;
  /** one word that counts what the machine has for the network */
  readonly doorbell: SharedArrayBuffer;
  /** the `ControlBlock` of the machine, to wake it */
  readonly control: SharedArrayBuffer;
  /** file that every frame is written to */
  readonly dump: string | undefined;
}

/** What a network's thread tells, once. */
export type NetworkMessage =
  | {
      readonly kind: 'open';
      readonly forwards: readonly OpenForward[];
      /** files to be removed when the network ends */
      readonly leftovers: readonly string[];
    }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };
