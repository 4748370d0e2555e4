const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  EEXIST: 'there is such a file already',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOSPC: "the host's disk is full",
  EDQUOT: 'the quota is used up',
  EFBIG: 'it would be too large for its file system',
  EROFS: 'the file system is read-only',
  EIO: 'input/output error',
};

/** The reason of a file system error, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}
