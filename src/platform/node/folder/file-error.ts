/** An error that the guest gets as a number, in the form of Node's own. */
export class FileError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`file error ${errno}`);
    this.errno = -errno;
  }
}
