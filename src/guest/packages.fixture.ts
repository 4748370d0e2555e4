/** Debian packages and a busybox, made for tests. */
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';

const ascii = (text: string) => new TextEncoder().encode(text);

/** Bytes that look like a busybox with these applets. */
export function fakeBusybox(applets: readonly string[] = ['[', '[[', 'init', 'sh']): Uint8Array {
  return ascii(`\x7fELF [ [ code\0${applets.join('\0')}\0\0more code`);
}

/** An `ar` archive. */
export function makeAr(members: readonly (readonly [name: string, data: Uint8Array])[]) {
  const parts: Uint8Array[] = [ascii('!<arch>\n')];
  for (const [name, data] of members) {
    const size = String(data.length).padEnd(10);
    parts.push(ascii(`${name.padEnd(16)}0           0     0     100644  ${size}\`\n`), data);
    if (data.length % 2 === 1) parts.push(ascii('\n'));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** A .deb with these files, by path. */
export async function makeDeb(
  files: Readonly<Record<string, Uint8Array>>,
  pack: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = gzipSync,
  extension = '.gz',
): Promise<Uint8Array> {
  const tar = await packTar([
    { header: { name: './', type: 'directory', size: 0 } },
    ...Object.entries(files).map(([path, body]) => ({
      header: { name: `./${path}`, size: body.length },
      body: new Uint8Array(body),
    })),
    { header: { name: './link', type: 'symlink' as const, linkname: 'target', size: 0 } },
  ]);
  return makeAr([
    ['debian-binary', ascii('2.0\n')],
    ['control.tar.gz', gzipSync(new Uint8Array(1024))],
    [`data.tar${extension}`, pack(tar)],
  ]);
}
