/**
 * The text files of the default guest: what busybox init runs, and the shell's surroundings.
 *
 * Boot: the kernel starts /init (busybox init, process 1), which runs /etc/init.d/rcS once and then
 * keeps a login shell on the kernel's console. `cttyhack` makes the console the shell's controlling
 * terminal, so that Ctrl-C and job control work whichever console the command line names.
 */

/** /etc/inittab: busybox init's table, `id::action:process`. */
const inittab = `::sysinit:/etc/init.d/rcS
::respawn:/bin/cttyhack /bin/sh -l
::ctrlaltdel:/bin/reboot
::shutdown:/etc/init.d/rcK
::restart:/init
`;

/** /etc/fstab: all of it is mounted by one process, `mount -a`. /dev comes before, in rcS. */
const fstab = `proc      /proc     proc      nosuid,noexec,nodev             0 0
sysfs     /sys      sysfs     nosuid,noexec,nodev             0 0
devpts    /dev/pts  devpts    mode=620,gid=5,nosuid,noexec    0 0
tmpfs     /dev/shm  tmpfs     mode=1777,nosuid,nodev          0 0
tmpfs     /run      tmpfs     mode=755,nosuid,nodev           0 0
tmpfs     /tmp      tmpfs     mode=1777,nosuid,nodev          0 0
`;

/** /etc/init.d/rcS: runs once, before the shell. /dev/pts exists only once /dev is mounted. */
const rcS = `#!/bin/sh
mount -t devtmpfs -o mode=755,nosuid devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -a
hostname -F /etc/hostname
ip link set lo up
if [ -d /lib/modules ]; then
  for bus in pci virtio; do
    cat /sys/bus/$bus/devices/*/modalias 2>/dev/null | xargs -r modprobe -a -q 2>/dev/null
  done
fi
if [ -e /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -i eth0 -q -n -f -t 5 -T 1 -A 1 >/dev/null 2>&1 || echo 'eth0: no answer from DHCP'
fi
[ -x /etc/init.d/folders ] && /etc/init.d/folders
[ -s /etc/modules ] && while read -r module; do insmod "$module"; done </etc/modules
[ -x /etc/rc.local ] && /etc/rc.local
true
`;

/**
 * /etc/init.d/folders: mounts what the kernel's command line names in `vivarium.mount=TAG:PATH[:OPTION,...]`, with the
 * options `ro` and `file=NAME`. Of a shared file a folder is mounted that holds nothing else, and bound to PATH.
 */
const folders = `#!/bin/sh
decode() {
  printf '%b' "$(printf '%s' "$1" | sed 's/%/\\\\x/g')"
}
share() {
  IFS=:
  set -f -- $1
  unset IFS
  path=$(decode "$2")
  case ",$3," in *,ro,*) mode=ro ;; *) mode=rw ;; esac
  case ",$3," in
    *,file=*)
      name=\${3#*file=}
      name=$(decode "\${name%%,*}")
      mkdir -p "/run/folders/$1" "\${path%/*}/"
      mount -t virtiofs -o $mode "$1" "/run/folders/$1" || return
      [ -e "$path" ] || : >"$path"
      mount -o bind "/run/folders/$1/$name" "$path"
      ;;
    *)
      mkdir -p "$path"
      mount -t virtiofs -o $mode "$1" "$path"
      ;;
  esac
}
for word in $(cat /proc/cmdline); do
  case "$word" in vivarium.mount=*) share "\${word#*=}" ;; esac
done
`;

/** /etc/udhcpc/default.script: what busybox's DHCP client calls with what it has learned. */
const udhcpcScript = `#!/bin/sh
case "$1" in
  deconfig)
    ip addr flush dev "$interface" scope global
    ip link set "$interface" up
    ;;
  bound | renew)
    ip addr replace "$ip/$mask" broadcast "$broadcast" dev "$interface"
    [ -n "$router" ] && ip route replace default via "\${router%% *}" dev "$interface"
    : >/etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
    ;;
esac
`;

/** /etc/init.d/rcK: runs before the machine powers off or resets, so that disks are left clean. */
const rcK = `#!/bin/sh
umount -a -r 2>/dev/null
sync
`;

/**
 * /etc/profile: for each login shell. LINES and COLUMNS come from the kernel command line when the
 * person sits at a terminal; a serial line cannot tell its size itself.
 */
const profile = `export PATH=/bin:/sbin:/usr/bin:/usr/sbin
export HOME=/root
export PS1='\\h:\\w# '
[ "$TERM" = linux ] && export TERM=vt100
[ -n "$LINES" ] && [ -n "$COLUMNS" ] && stty rows "$LINES" cols "$COLUMNS" 2>/dev/null
unset LINES COLUMNS
cd "$HOME"
if [ ! -e /run/greeted ]; then
  : >/run/greeted
  cat /etc/motd
fi
`;

const motd = `
Welcome to Linux in Vivarium. Type \`poweroff\` to leave, \`resize\` after changing the window's size.

`;

/** /bin/resize: busybox as Debian builds it has none. Asks the terminal where its last cell is. */
const resize = `#!/bin/sh
# Tells the kernel the size of the terminal at the other end of the serial line.
saved=$(stty -g) || exit 1
trap 'stty "$saved"' EXIT
stty raw -echo
printf '\\0337\\033[r\\033[999;999H\\033[6n\\0338'
IFS='[;' read -r -s -t 2 -d R escape rows columns
stty "$saved"
trap - EXIT
case "$rows:$columns" in
  [1-9]*:[1-9]*) stty rows "$rows" cols "$columns" ;;
  *) echo 'resize: the terminal does not tell its size' >&2; exit 1 ;;
esac
`;

const passwd = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const group = 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n';
const hosts = '127.0.0.1\tlocalhost vivarium\n::1\tlocalhost\n';

/** One text file of the default guest. */
export interface InitFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** The files of the default guest, by path. */
export const initFiles: readonly InitFile[] = [
  { path: 'bin/resize', mode: 0o755, text: resize },
  { path: 'etc/fstab', mode: 0o644, text: fstab },
  { path: 'etc/group', mode: 0o644, text: group },
  { path: 'etc/hostname', mode: 0o644, text: 'vivarium\n' },
  { path: 'etc/hosts', mode: 0o644, text: hosts },
  { path: 'etc/init.d/folders', mode: 0o755, text: folders },
  { path: 'etc/init.d/rcK', mode: 0o755, text: rcK },
  { path: 'etc/init.d/rcS', mode: 0o755, text: rcS },
  { path: 'etc/inittab', mode: 0o644, text: inittab },
  { path: 'etc/motd', mode: 0o644, text: motd },
  { path: 'etc/passwd', mode: 0o644, text: passwd },
  { path: 'etc/profile', mode: 0o644, text: profile },
  { path: 'etc/udhcpc/default.script', mode: 0o755, text: udhcpcScript },
];
