/** Error numbers of Linux (`errno-base.h`, `errno.h`) that go to the guest. */
export const ENOENT = 2;
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const EACCES = 13;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENFILE = 23;
export const EFBIG = 27;
export const EROFS = 30;
export const ENAMETOOLONG = 36;
export const ENOSYS = 38;
export const ELOOP = 40;
export const EPROTO = 71;
export const EOPNOTSUPP = 95;
export const ESTALE = 116;

/** What the guest is refused, as a number. */
export class FileError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`file error ${errno}`);
    this.errno = errno;
  }
}

/**
 * The number in an error of the host's files, which have a negative `errno` as libuv makes them, or in one of ours.
 * Undefined for an error that is none of these.
 */
export function errnoOf(error: unknown): number | undefined {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' && Number.isInteger(errno) ? Math.abs(errno) : undefined;
}
