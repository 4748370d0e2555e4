import type { ImageFormat } from '../../block/mod.ts';
import type { BoardConfig, MachineStats, StopReason } from '../../machine/config.ts';

/** A disk of a machine, as its thread is told of it. */
export interface DiskSource {
  readonly path: string;
  /** found out from the image when it is not given */
  readonly format?: ImageFormat | undefined;
  readonly readOnly: boolean;
  /** what the guest writes is forgotten when the machine ends */
  readonly snapshot: boolean;
}

/** A shared folder of a machine, as its thread is told of it. */
export interface FolderSource {
  /** absolute, of a directory or a regular file */
  readonly path: string;
  /** the one file is shared, not what lies beside it */
  readonly isFile: boolean;
  readonly readOnly: boolean;
  /** whose the files are in the guest */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** What a machine's thread is given when it starts. */
export interface MachineStart {
  readonly config: BoardConfig;
  /** contents of `config.disks` */
  readonly disks?: readonly DiskSource[];
  /** what stands behind `config.folders` */
  readonly folders?: readonly FolderSource[];
  /** what `config.network` is connected to: memory of a `RingLink`, and a `Doorbell` */
  readonly network?: { readonly link: SharedArrayBuffer; readonly doorbell: SharedArrayBuffer };
  /** the same for `config.vsock` */
  readonly vsock?: { readonly link: SharedArrayBuffer; readonly doorbell: SharedArrayBuffer };
  /** a guest reset ends the machine instead of starting it again */
  readonly noReboot: boolean;
  /** a `ControlBlock` */
  readonly control: SharedArrayBuffer;
  /** where translated code is kept between runs; without it, none is */
  readonly codeArchive?: { readonly directory: string; readonly isReadOnly: boolean };
  /** another module than the product's that exports `Board`, for tests: a URL */
  readonly boardModule?: string;
}

/** Why a machine's thread ended: the machine itself, or its user. */
export type MachineEnd = StopReason | { readonly kind: 'stopped' };

/** Lines of text on the machine's screen. */
export type ScreenText = readonly string[];

/** What the machine's screen shows. */
export interface ScreenPicture {
  readonly width: number;
  readonly height: number;
  /** red, green, blue and 255 of each pixel */
  readonly rgba: Uint8Array<ArrayBuffer>;
}

/** What a machine's thread tells its user. */
export type MachineMessage =
  /** the board is built; the machine stands still until it is resumed */
  | { readonly kind: 'ready' }
  | { readonly kind: 'paused' }
  /** something that the user should know: a sentence */
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'output'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** the input ring has room again */
  | { readonly kind: 'room' }
  | { readonly kind: 'stats'; readonly stats: MachineStats; readonly screen?: ScreenText }
  | {
      readonly kind: 'ended';
      readonly end: MachineEnd;
      readonly stats: MachineStats;
      readonly screen?: ScreenText;
      readonly picture?: ScreenPicture;
    }
  /** the screen, as it was asked for; without a picture when it shows nothing */
  | { readonly kind: 'screen'; readonly text?: ScreenText; readonly picture?: ScreenPicture }
  /** something that the user can mend, in one sentence */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** our own fault */
  | { readonly kind: 'fault'; readonly message: string; readonly detail: string };
