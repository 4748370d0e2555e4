/** A file, block device or stretch of memory that images are kept in. */
export interface RandomAccessFile {
  /** as the user knows it, for messages */
  readonly name: string;
  readonly isReadOnly: boolean;
  /** Bytes it holds now. */
  size(): number;
  /** Fills `target` from `offset`; what lies beyond the end reads as zero. */
  read(offset: number, target: Uint8Array): void;
  /** Writes all of `source`, beyond the end too. Throws `disk-full` or `disk-io`. */
  write(offset: number, source: Uint8Array): void;
  /** Cuts or extends it; new bytes read as zero. */
  truncate(bytes: number): void;
  /** Returns when everything written is durable. */
  flush(): void;
  /** Bytes that it takes on the host, if that is known. */
  allocatedBytes(): number | undefined;
  close(): void;
}

/** Opens the files of images, and of the images behind them. */
export interface FileOpener {
  /** Throws `disk-unreadable` with a sentence that names the file. */
  open(path: string, options: { readonly readOnly: boolean }): RandomAccessFile;
  /** The path of `name` as it stands in the image at `base`. */
  resolve(base: string, name: string): string;
}
