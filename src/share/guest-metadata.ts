/**
 * What the guest sees of owners, permissions and kinds of files, where that cannot or must not be what the host has.
 *
 * The files of a folder belong to the process that shares it, and stay its own: the guest's chown, the set-uid,
 * set-gid and sticky bits, device nodes, pipes and sockets are kept in records beside the files. A file without a record
 * belongs to the guest's root (or whom the share names) if it is this process's, and to nobody otherwise; when this
 * process is root, other owners are shown as they are.
 *
 * A record is found by device, inode number and time of birth, so that it never passes to another file. What it says
 * of permissions holds as long as nobody on the host has changed those.
 */
import { S_IFMT, S_IFREG } from './fuse/spec.ts';
import type { HostStat } from './host-folder.ts';

/** Bits of a mode that the host gets to see. */
const HOST_MODE = 0o777;
/** What the owner must have on the host, so that the guest's root is not locked out. */
const OWNER_OF_FILE = 0o400;
const OWNER_OF_DIRECTORY = 0o700;
/** The kernel's overflow user, as which unmapped users appear. */
const NOBODY = 65_534;

/** What is kept of one file; what is absent is as on the host. */
export interface MetadataRecord {
  readonly uid?: number;
  readonly gid?: number;
  /** the permissions that the guest set, and what the host was given instead */
  readonly mode?: { readonly guest: number; readonly host: number };
  /** the guest made this (empty) file as something else: its kind, and number of the device */
  readonly special?: { readonly type: number; readonly device: number };
}

/** Where records are kept. */
export interface MetadataStore {
  readonly records: Map<string, MetadataRecord>;
  /** `records` has another record for this key now, or none. */
  changed(key: string): void;
}

/** A file as the guest sees it. */
export interface GuestView {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: number;
}

export interface GuestOwner {
  readonly uid: number;
  readonly gid: number;
}

/** The identity of a file. */
export function identityOf({ dev, ino, birthtimeNs }: HostStat): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** The permissions that a file or directory gets on the host. */
export function hostMode(mode: number, isDirectory: boolean): number {
  return (mode & HOST_MODE) | (isDirectory ? OWNER_OF_DIRECTORY : OWNER_OF_FILE);
}

export class GuestMetadata {
  readonly #store: MetadataStore;
  readonly #owner: GuestOwner;
  readonly #process: GuestOwner;

  /** @param owner whose the files of `process` are in the guest */
  constructor(store: MetadataStore, owner: GuestOwner, process: GuestOwner) {
    this.#store = store;
    this.#owner = owner;
    this.#process = process;
  }

  view(stat: HostStat): GuestView {
    const mode = Number(stat.mode);
    const record = this.#record(stat);
    const uid = record?.uid ?? this.#natural('uid', Number(stat.uid));
    const gid = record?.gid ?? this.#natural('gid', Number(stat.gid));
    if (record === undefined) {
      return { mode, uid, gid, device: Number(stat.rdev & 0xffff_ffffn) };
    }
    const { special } = record;
    const isSpecial = special !== undefined && (mode & S_IFMT) === S_IFREG;
    const permissions = record.mode?.host === (mode & 0o7777) ? record.mode.guest : mode & 0o7777;
    return {
      mode: (isSpecial ? special.type : mode & S_IFMT) | permissions,
      uid,
      gid,
      device: isSpecial ? special.device : Number(stat.rdev & 0xffff_ffffn),
    };
  }

  /**
   * Keeps what the guest set; `stat` is the file as it is now on the host, after its mode was set. What needs no
   * record leaves none.
   */
  set(stat: HostStat, change: { uid?: number; gid?: number; mode?: number }): void {
    const now = this.view(stat);
    this.#put(stat, {
      uid: change.uid ?? now.uid,
      gid: change.gid ?? now.gid,
      mode: (change.mode ?? now.mode) & 0o7777,
      special: this.#record(stat)?.special,
    });
  }

  /** Makes an empty file something else. */
  setSpecial(
    stat: HostStat,
    special: { readonly type: number; readonly device: number },
    owner: GuestOwner,
    mode: number,
  ): void {
    this.#put(stat, { ...owner, mode: mode & 0o7777, special });
  }

  /** The last name of a file is gone. */
  forget(stat: HostStat): void {
    const key = identityOf(stat);
    if (this.#store.records.delete(key)) this.#store.changed(key);
  }

  /** Without records a file that goes away need not be looked at. */
  get isEmpty(): boolean {
    return this.#store.records.size === 0;
  }

  #put(
    stat: HostStat,
    wanted: {
      uid: number;
      gid: number;
      mode: number;
      special?: MetadataRecord['special'] | undefined;
    },
  ): void {
    const host = Number(stat.mode) & 0o7777;
    const record: MetadataRecord = {
      ...(wanted.uid === this.#natural('uid', Number(stat.uid)) ? {} : { uid: wanted.uid }),
      ...(wanted.gid === this.#natural('gid', Number(stat.gid)) ? {} : { gid: wanted.gid }),
      ...(wanted.mode === host ? {} : { mode: { guest: wanted.mode, host } }),
      ...(wanted.special === undefined ? {} : { special: wanted.special }),
    };
    const key = identityOf(stat);
    if (Object.keys(record).length > 0) this.#store.records.set(key, record);
    else if (!this.#store.records.delete(key)) return;
    this.#store.changed(key);
  }

  #record(stat: HostStat): MetadataRecord | undefined {
    return this.isEmpty ? undefined : this.#store.records.get(identityOf(stat));
  }

  #natural(kind: 'uid' | 'gid', id: number): number {
    if (id === this.#process[kind]) return this.#owner[kind];
    return this.#process.uid === 0 ? id : NOBODY;
  }
}

/** Records that live as long as their machine. */
export function temporaryMetadata(): MetadataStore {
  return { records: new Map(), changed() {} };
}
