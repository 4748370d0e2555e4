/**
 * What the benchmark guest is given to do. Each line runs in the guest's `sh -c`, in /bench. The shell
 * is busybox, which prefers its own commands to others of the same name unless their path is given.
 */

/** Which numbers belong together; see the goals in RESULTS.md. */
export type Group = 'integer' | 'floating point' | 'memory' | 'kernel' | 'busybox' | 'debian';

export interface Workload {
  readonly name: string;
  readonly group: Group;
  readonly line: string;
  /** Debian packages that the line needs in the guest */
  readonly packages?: readonly string[];
}

const program = (group: Group, ...names: readonly string[]): Workload[] =>
  names.map((name) => ({ name, group, line: `./${name}` }));

const busybox = (name: string, line: string): Workload => ({ name, group: 'busybox', line });

/** All of them: our own C programs, busybox, and programs of Debian. */
export const workloads: readonly Workload[] = [
  ...program('integer', 'sieve', 'sort', 'sha256', 'crc32', 'bytecode', 'calls', 'words'),
  ...program('floating point', 'nbody', 'mandelbrot', 'linpack', 'vector', 'x87'),
  ...program('memory', 'stream', 'chase'),
  ...program('kernel', 'syscalls', 'faults', 'forkexec', 'pipe', 'smc'),
  busybox('shell loop', 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; echo $i'),
  busybox('gzip -9', 'busybox gzip -9 <text | busybox md5sum'),
  busybox('gunzip', 'for i in 1 2 3 4; do busybox gunzip <text.gz | busybox md5sum; done'),
  busybox('sha256sum', 'for i in 1 2 3; do busybox sha256sum text; done'),
  busybox('fork+exec', 'i=0; while [ $i -lt 200 ]; do busybox true; /bin/true; i=$((i+1)); done'),
  busybox('dd', 'busybox dd if=/dev/zero of=/dev/null bs=512 count=100000 2>/dev/null; echo $?'),
  busybox(
    'busybox sort',
    'busybox sort text | busybox uniq -c | busybox sort -rn | busybox md5sum',
  ),
  busybox(
    'awk',
    "busybox awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) s += n[w]; print s }' text",
  ),
  busybox(
    'busybox pipe',
    'busybox dd if=/dev/zero bs=4k count=5000 2>/dev/null | busybox cat | busybox wc -c',
  ),
  { name: 'python3', group: 'debian', line: 'python3 objects.py 2', packages: ['python3-minimal'] },
  {
    name: 'gcc',
    group: 'debian',
    line: 'for f in sort sha256 words; do gcc -O2 -c -o /tmp/$f.o source/$f.c; done; md5sum /tmp/*.o',
    packages: ['gcc', 'libc6-dev'],
  },
  {
    name: 'xz',
    group: 'debian',
    line: 'head -c 400000 text | /usr/bin/xz -6 -T1 -c | md5sum',
    packages: ['xz-utils'],
  },
  {
    name: 'GNU gzip',
    group: 'debian',
    line: '/usr/bin/gzip -n -9 <text | md5sum',
    packages: ['gzip'],
  },
];
