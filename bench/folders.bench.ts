/**
 * A shared folder under Vivarium (virtio-fs) and under QEMU (9p, `-virtfs local`), in turns, with the same kernel and programs:
 * `git status` with cold and warm caches, listing and copying a tree. `npm run bench -- folders --help` lists options.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildInitrd,
  buildModuleTree,
  DEVICE_MODULES,
  type ExtraFile,
  extractDeb,
  kernelVersionOf,
} from '../src/guest/mod.ts';
import { unpackKernel } from '../src/machine/mod.ts';
import { GuestPackages } from '../src/platform/node/mod.ts';
import { busybox } from '../test/guests/images.ts';
import { binViv, Session } from '../test/guests/session.ts';
import { type BootFiles, qemuCommand, qemuVersion } from './machines/qemu.ts';
import { describeHost, readOptions } from './options.ts';
import { save } from './report/save.ts';
import { median } from './report/statistics.ts';
import { cell, table } from './report/table.ts';

/** Debian's plain kernel has modules for both ways; the cloud flavour has none for 9p. */
const KERNEL = 'linux-image-amd64';
const MODULE_FOLDERS = /\/kernel\/(drivers\/virtio|fs\/(9p|fuse|netfs|fscache)|net\/9p)\/[^/]+\.ko/;
const MODULES_9P = ['9p', '9pnet_virtio'];
const DIRECTORIES = 100;
const FILES = 20;

/** The folder belongs to somebody else in the guest; git asks for permission. */
const gitConfig: ExtraFile = { path: 'etc/gitconfig', data: '[safe]\n\tdirectory = *\n' };

const options = readOptions();
const host = describeHost();
const directory = mkdtempSync(join(tmpdir(), 'vivarium-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const shared = join(directory, 'shared');
makeRepository(shared);

const files = await bootFiles();
const vivarium = [
  ...[binViv, 'run', '--kernel', files.kernel, '--initrd', files.initrd],
  ...['--cmdline', `${files.cmdline}`, '--memory', files.memory, '--engine', options.engine],
  ...['-v', `${shared}:/work`],
];
const [qemu = '', ...qemuArguments] = [
  ...qemuCommand(files),
  ...['-fsdev', `local,id=f,path=${shared},security_model=none`],
  ...['-device', 'virtio-9p-pci,fsdev=f,mount_tag=viv0'],
];
const peer = qemuVersion();
const subjects: Record<string, () => Session> = {
  vivarium: () => new Session(process.execPath, vivarium),
  ...(peer === undefined ? {} : { qemu: () => new Session(qemu, qemuArguments) }),
};
const mounts: Readonly<Record<string, string>> = {
  vivarium: "grep -q ' /work ' /proc/mounts", // the start-up mounts what -v shares
  qemu: 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576 viv0 /work',
};

const forget = 'sync; echo 3 >/proc/sys/vm/drop_caches';
/** Each line is timed by the guest's own clock; `before` is not. */
const workloads: Readonly<Record<string, { readonly before: string; readonly line: string }>> = {
  'git status, cold, s': { before: forget, line: 'git -C /work status --short' },
  'git status, warm, s': {
    before: 'git -C /work status --short',
    line: 'git -C /work status --short',
  },
  'find and stat, cold, s': { before: forget, line: "find /work -type f -size +100 -name 'f*'" },
  'read the tree, cold, s': { before: forget, line: 'tar c -C /work tree | cat >/dev/null' },
  'copy the tree, s': { before: 'rm -rf /work/copy', line: 'cp -a /work/tree /work/copy' },
  'remove the tree, s': { before: ':', line: 'rm -rf /work/copy' },
};

const names = Object.keys(subjects).filter((name) => options.subjects.includes(name));
const chosen = Object.keys(workloads).filter((name) => name.includes(options.only));
const samples: { workload: string; name: string; value: number }[] = [];
for (let run = 1; run <= options.runs; run++) {
  for (const name of names) {
    await using session = (subjects[name] as () => Session)();
    await session.expect('vivarium:~# ');
    const mounted = await session.run(`mkdir -p /work; ${mounts[name]}`);
    if (mounted.status !== 0) throw new Error(`${name}: ${mounted.text}`);
    for (const workload of chosen) {
      const { before, line } = workloads[workload] as (typeof workloads)[string];
      await session.run(before);
      const clock = 'cut -d " " -f 1 /proc/uptime';
      const { text, status } = await session.run(
        `t=$(${clock}); ${line} >/tmp/out 2>&1; s=$?; echo "took $t $(${clock})"; (exit $s)`,
      );
      const [, from, to] = /took (\S+) (\S+)/.exec(text) ?? [];
      if (status !== 0)
        throw new Error(`${name}: ${workload}: ${(await session.run('cat /tmp/out')).text}`);
      const value = Number(to) - Number(from);
      samples.push({ workload, name, value });
      console.error(`run ${run}: ${name}: ${workload}: ${cell(value)}`);
    }
    session.type('poweroff\n');
    await session.ended;
  }
}
const rows = chosen.map((workload) => {
  const middle = (name: string) =>
    median(
      samples
        .filter((one) => one.workload === workload && one.name === name)
        .map(({ value }) => value),
    );
  const [ours, theirs] = [middle('vivarium'), middle('qemu')];
  return [workload, cell(ours), cell(theirs), cell(theirs / ours)];
});
const count = DIRECTORIES * FILES;
console.log(
  `A shared folder of ${count} files in ${DIRECTORIES} directories, medians of ${options.runs}:\n`,
);
console.log(table(['', 'Vivarium', `QEMU ${peer ?? ''} 9p`, 'times as fast'], rows));
const commands = { vivarium: ['node', ...vivarium], qemu: [qemu, ...qemuArguments] };
const result = { date: new Date().toISOString(), host, peer, commands, mounts, samples };
console.log(`\nSaved to ${save('folders', result, options.json)}`);

/** A repository with everything committed. */
function makeRepository(path: string): void {
  for (let at = 0; at < DIRECTORIES; at++) {
    const place = join(path, 'tree', `directory-${at}`);
    mkdirSync(place, { recursive: true });
    for (let file = 0; file < FILES; file++) {
      const lines = Array.from(
        { length: 20 + ((at * file) % 200) },
        (_, line) => `${at} ${file} ${line}\n`,
      );
      writeFileSync(join(place, `f${file}.txt`), lines.join(''));
    }
  }
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=v', '-c', 'user.email=v@v', ...words]);
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'all');
}

/** The plain kernel, and a RAM disk of busybox, its modules and the host's git. */
async function bootFiles(): Promise<BootFiles> {
  const packages = new GuestPackages({ progress: (message) => console.error(message) });
  const { deb } = await packages.exclusively(() => packages.kernel(KERNEL));
  const found = await extractDeb(
    deb,
    (path) => kernelVersionOf(path) !== undefined || MODULE_FOLDERS.test(path),
  );
  const image = [...found].find(([path]) => kernelVersionOf(path) !== undefined);
  if (image === undefined) throw new Error(`the package of ${KERNEL} has no kernel`);
  found.delete(image[0]);
  const version = kernelVersionOf(image[0]) as string;
  const modules = await buildModuleTree(version, found, [...DEVICE_MODULES, ...MODULES_9P]);
  const initrd = buildInitrd({
    busybox: await busybox(),
    files: [...modules, ...programFiles('git'), gitConfig],
  });
  return {
    kernel: place('vmlinux', await unpackKernel(image[1] as Uint8Array<ArrayBuffer>)),
    initrd: place('initrd', initrd),
    cmdline: 'console=ttyS0 quiet mitigations=off',
    memory: '512M',
  };
}

/** A program of the host and the libraries that it needs, where it expects them. */
function programFiles(name: string): ExtraFile[] {
  const program = execFileSync('which', [name], { encoding: 'utf8' }).trim();
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(
    (match) => match[1] as string,
  );
  const read = (path: string) => readFileSync(realpathSync(path));
  return [
    { path: `bin/${name}`, mode: 0o755, data: read(program) },
    ...libraries.map((path) => ({ path: path.slice(1), mode: 0o755, data: read(path) })),
  ];
}

function place(name: string, contents: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, contents);
  return path;
}
