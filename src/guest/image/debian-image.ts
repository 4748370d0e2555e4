/**
 * What the disk image of a Debian system is made of, beyond what its packages bring: which packages,
 * and the files that make it a good guest. How it is built is the platform's business.
 *
 * The file system fills the disk, without a partition table or a boot loader: the machine takes the
 * kernel out of it (`disk-kernel.ts`), so an upgrade of the kernel in the guest is all it takes.
 */
import { initFiles } from '../init-files.ts';

/** What somebody wants of an image. */
export interface DebianImageOptions {
  /** a code name, for example `bookworm` */
  readonly release: string;
  /** packages beyond those that every image has */
  readonly packages: readonly string[];
  readonly hostname: string;
  /** log in as root on the serial console without asking */
  readonly autologin: boolean;
  /** who may log in as root over SSH: lines of an authorized_keys file */
  readonly authorizedKeys: readonly string[];
}

/** Packages of every image: a kernel, an init, a network, and what a person expects at a prompt. */
export const DEBIAN_IMAGE_PACKAGES: readonly string[] = [
  'linux-image-cloud-amd64',
  'systemd-sysv',
  'systemd-resolved',
  'dbus',
  'udev',
  'kmod',
  'e2fsprogs',
  'openssh-server',
  'ca-certificates',
  'iproute2',
  'iputils-ping',
  'netbase',
  'procps',
  'less',
  'nano',
];

/** Where an image keeps the kernel command line that it wants, as kernel-install(8) has it. */
export const KERNEL_CMDLINE_PATH = '/etc/kernel/cmdline';

/** A file to put into the image; root owns it. */
export interface ImageFile {
  /** without a leading slash */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/**
 * There is no speculation to be protected from, and the work-arounds cost time. Nothing is taken for
 * dead because the host is busy.
 */
const cmdline =
  'console=ttyS0 quiet mitigations=off ' +
  'systemd.service_watchdogs=no systemd.default_timeout_start_sec=900\n';

const patience = `[Manager]
DefaultDeviceTimeoutSec=900s
DefaultTimeoutStopSec=300s
`;

/** The root file system is mounted by the kernel already; this says how it is mounted again. */
const fstab = 'LABEL=root  /  ext4  defaults  0  0\n';

const network = `# Every network card asks DHCP.
[Match]
Name=en* eth*

[Network]
DHCP=yes
`;

/**
 * A name without a dot that is in no file would be called for on the wire, which takes seconds. Sessions of SSH on
 * vsock look for their peer, which has no address, as UNKNOWN (libaudit, for sshd and PAM): they took 16 seconds, not 3.
 */
const names = `[Resolve]
LLMNR=no
`;

/** Besides the network, SSH answers on a vsock, which needs no address and no network. */
const vsockSocket = `[Unit]
Description=SSH on vsock

[Socket]
ListenStream=vsock::22
Accept=yes

[Install]
WantedBy=sockets.target
`;

/** As with any SSH server, a session outlives a process that ran out of memory, and daemons outlive the session. */
const vsockService = `[Unit]
Description=SSH session on vsock

[Service]
ExecStart=-/usr/sbin/sshd -i
StandardInput=socket
KillMode=process
OOMPolicy=continue
`;

/** Mounts the folders that the host shares, as our own guest does; its shell has to know `printf '\\x41'`. */
const FOLDERS_PATH = 'usr/local/sbin/mount-host-folders';
const folders = initFiles
  .find(({ path }) => path === 'etc/init.d/folders')
  ?.text.replace('#!/bin/sh', '#!/bin/bash') as string;

const foldersService = `[Unit]
Description=Folders of the host
ConditionKernelCommandLine=vivarium.mount
After=local-fs.target
Before=ssh.service getty.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-/sbin/modprobe -a virtio_pci virtiofs
ExecStart=/${FOLDERS_PATH}

[Install]
WantedBy=multi-user.target
`;

const autologin = `[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 - $TERM
`;

/** The files of an image. */
export function debianImageFiles(options: DebianImageOptions): ImageFile[] {
  const { hostname, authorizedKeys } = options;
  const file = (path: string, text: string, mode = 0o644): ImageFile => ({ path, mode, text });
  const files = [
    file('etc/hostname', `${hostname}\n`),
    file('etc/hosts', `127.0.0.1\tlocalhost\n127.0.1.1\t${hostname}\n::1\tlocalhost\n`),
    file('etc/fstab', fstab),
    file(KERNEL_CMDLINE_PATH.slice(1), cmdline),
    file('etc/systemd/network/80-dhcp.network', network),
    file('etc/systemd/resolved.conf.d/names.conf', names),
    file('etc/systemd/system.conf.d/patience.conf', patience),
    file(FOLDERS_PATH, folders, 0o755),
    file('etc/systemd/system/mount-host-folders.service', foldersService),
    file('etc/modules-load.d/vsock.conf', 'vmw_vsock_virtio_transport\n'),
    file('etc/systemd/system/sshd-vsock.socket', vsockSocket),
    file('etc/systemd/system/sshd-vsock@.service', vsockService),
  ];
  if (authorizedKeys.length > 0) {
    const keys = authorizedKeys.map((key) => `${key.trim()}\n`).join('');
    files.push(file('root/.ssh/authorized_keys', keys, 0o600));
  }
  if (options.autologin) {
    files.push(file('etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf', autologin));
  }
  return files;
}

/**
 * What is done in the new system when all packages are there; the shell of the host runs it, with the
 * root directory as `$1`.
 *
 * - root has no password: whoever sits at the console is in; SSH takes no empty passwords.
 * - The image asks Debian's own servers for packages, as the example that apt brings has them, whatever
 *   mirror built it.
 * - It has an identity from the start, so that its first boot is like all others.
 */
export const DEBIAN_IMAGE_SCRIPT = `set -e
chroot "$1" passwd --quiet --delete root
chmod 700 "$1/root/.ssh" 2>/dev/null || true
chroot "$1" systemctl --quiet enable systemd-networkd.service sshd-vsock.socket \\
  mount-host-folders.service
chroot "$1" systemctl --quiet disable systemd-networkd-wait-online.service apt-daily.timer \\
  apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service
chroot "$1" systemd-machine-id-setup >/dev/null 2>&1
rm -f "$1"/etc/apt/sources.list.d/* "$1/etc/apt/sources.list"
cp "$1/usr/share/doc/apt/examples/sources.list" "$1/etc/apt/sources.list" 2>/dev/null ||
  echo '# Name a Debian mirror here; see sources.list(5).' >"$1/etc/apt/sources.list"
`;

/** True for what may be the name of a package, with a version or a release if one is wanted. */
export function isPackageName(text: string): boolean {
  return /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?([=/][\w.+~:-]+)?$/.test(text);
}
