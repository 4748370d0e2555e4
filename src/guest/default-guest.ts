/** What the default guest is made of; how its packages are obtained is the platform's business. */

/** Debian packages of the default guest. */
export const DEFAULT_KERNEL_PACKAGE = 'linux-image-cloud-amd64';
export const DEFAULT_BUSYBOX_PACKAGE = 'busybox-static';

/**
 * Kernel command line of the default guest.
 * `mitigations=off`: there is no speculation to be protected from, and the work-arounds cost time.
 */
export const DEFAULT_CMDLINE = 'console=ttyS0 quiet mitigations=off';

/** The kernel image among the files of a kernel package, `boot/vmlinuz-VERSION`, and its version. */
export function kernelVersionOf(path: string): string | undefined {
  return /^boot\/vmlinuz-([\w.+~-]+)$/.exec(path)?.[1];
}

/** Where busybox lies in its package, before and after Debian merged /bin into /usr/bin. */
export function isBusyboxPath(path: string): boolean {
  return path === 'bin/busybox' || path === 'usr/bin/busybox';
}
