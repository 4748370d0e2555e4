/**
 * Process 1 of the benchmark guest. It reads lines `NAME LINE` from the console, runs each LINE, and
 * marks its beginning and end, between which the host measures:
 *
 *   @start NAME@   @done NAME STATUS@   what LINE printed   @printed NAME@
 */
export const init = `#!/bin/sh
export PATH=/bin HOME=/root LC_ALL=C
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
cd /bench
stty -echo
echo "@ready $(uname -r)@"
while read -r name line; do
  [ "$name" = off ] && poweroff -f
  echo "@start $name@"
  sh -c "$line" </dev/null >/tmp/output 2>&1
  echo "@done $name $?@"
  cat /tmp/output
  rm -f /tmp/*
  echo "@printed $name@"
done
poweroff -f
`;
