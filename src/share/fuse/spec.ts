/** Numbers of the FUSE protocol, version 7.38: Linux, `include/uapi/linux/fuse.h`. */

export const FUSE_VERSION = 7;
export const FUSE_MINOR_VERSION = 38;
/** virtio-fs came with this one. */
export const FUSE_OLDEST_MINOR_VERSION = 31;
export const FUSE_ROOT_ID = 1;

export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
/** `fuse_entry_out` */
export const ENTRY_BYTES = 128;
/** `fuse_dirent` without its name */
export const DIRENT_BYTES = 24;

export const FUSE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  REMOVEXATTR: 24,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  COPY_FILE_RANGE: 47,
  TMPFILE: 51,
} as const;

/** `fuse_init_in.flags` and `fuse_init_out.flags`. */
export const FUSE_ASYNC_READ = 1 << 0;
export const FUSE_ATOMIC_O_TRUNC = 1 << 3;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_AUTO_INVAL_DATA = 1 << 12;
export const FUSE_DO_READDIRPLUS = 1 << 13;
export const FUSE_READDIRPLUS_AUTO = 1 << 14;
export const FUSE_ASYNC_DIO = 1 << 15;
export const FUSE_PARALLEL_DIROPS = 1 << 18;
export const FUSE_MAX_PAGES = 1 << 22;
export const FUSE_CACHE_SYMLINKS = 1 << 23;

/** `fuse_setattr_in.valid` */
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_FH = 1 << 6;
export const FATTR_ATIME_NOW = 1 << 7;
export const FATTR_MTIME_NOW = 1 << 8;
export const FATTR_KILL_SUIDGID = 1 << 11;

/** `fuse_open_out.open_flags` */
export const FOPEN_KEEP_CACHE = 1 << 1;
/** `fuse_getattr_in.getattr_flags` */
export const FUSE_GETATTR_FH = 1 << 0;
/** `fuse_write_in.write_flags` */
export const FUSE_WRITE_KILL_SUIDGID = 1 << 2;
/** `fuse_fsync_in.fsync_flags` */
export const FUSE_FSYNC_FDATASYNC = 1 << 0;
/** `fuse_rename2_in.flags` */
export const RENAME_NOREPLACE = 1 << 0;

/** Flags of open(2) on x86-64, which the guest's are too. */
export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DSYNC = 0o10000;
export const O_SYNC = 0o4010000;

/** Kinds of files and mode bits, inode(7). */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_IXGRP = 0o010;

export const NAME_MAX = 255;
/** Bytes of a symbolic link's target, with the zero at the end. */
export const PATH_MAX = 4096;
