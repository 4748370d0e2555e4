/** Kernels and RAM disks for whole-machine tests, from the same cache as the default guest's. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildInitrd, type ExtraFile } from '../../src/guest/mod.ts';
import { type DefaultGuest, defaultGuest, fetchGuestPackage } from '../../src/platform/node/mod.ts';

let guest: Promise<DefaultGuest> | undefined;

/** The stock kernel, unpacked: an ELF file. */
export async function stockElf(): Promise<Uint8Array> {
  guest ??= defaultGuest();
  return (await guest).kernel;
}

/** The stock kernel as Debian ships it: a bzImage. */
export async function stockBzImage(): Promise<Uint8Array> {
  guest ??= defaultGuest();
  const { kernelVersion } = await guest;
  return await fetchGuestPackage(`linux-image-${kernelVersion}`, `boot/vmlinuz-${kernelVersion}`);
}

export async function busybox(): Promise<Uint8Array> {
  // Where it lies before and after Debian merged /bin into /usr/bin.
  return await fetchGuestPackage('busybox-static', 'bin/busybox').catch(() =>
    fetchGuestPackage('busybox-static', 'usr/bin/busybox'),
  );
}

/** An init that does what it reads on the console, line by line. */
const obedientInit = `#!/bin/sh
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
echo "init here, Linux $(uname -r), command line $(cat /proc/cmdline)"
while read -r line; do eval "$line"; done
`;

/** A RAM disk of busybox whose init does what it reads on the console. */
export async function obedientInitrd(files: readonly ExtraFile[] = []): Promise<Uint8Array> {
  const init = { path: 'init', mode: 0o755, data: obedientInit };
  return buildInitrd({ busybox: await busybox(), files: [init, ...files] });
}

/** A directory for the files of one test. */
export class Workplace implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vivarium-test-'));

  file(name: string, contents: Uint8Array | string): string {
    const path = join(this.path, name);
    writeFileSync(path, contents);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
