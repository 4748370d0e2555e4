/** A Debian archive of a few made-up packages, in a directory of the test. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface ArchivePackage {
  readonly name: string;
  readonly version: string;
  readonly deb: Uint8Array;
  readonly depends?: string;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Writes the archive and returns its URL. */
export function writeArchive(directory: string, packages: readonly ArchivePackage[]): string {
  const write = (path: string, contents: Uint8Array | string) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), contents);
  };
  const stanzas = packages.map(({ name, version, deb, depends }) => {
    const filename = `pool/main/${name}_${version}_amd64.deb`;
    write(filename, deb);
    return [
      `Package: ${name}`,
      `Version: ${version}`,
      ...(depends === undefined ? [] : [`Depends: ${depends}`]),
      `Filename: ${filename}`,
      `Size: ${deb.length}`,
      `SHA256: ${sha256(deb)}`,
      '',
    ].join('\n');
  });
  const index = gzipSync(stanzas.join('\n'));
  write('dists/bookworm/main/binary-amd64/Packages.gz', index);
  const release = `Suite: bookworm\nSHA256:\n ${sha256(index)} ${index.length} main/binary-amd64/Packages.gz\n`;
  write(
    'dists/bookworm/InRelease',
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${release}-----BEGIN PGP SIGNATURE-----\n\nx\n`,
  );
  return `file://${directory}`;
}
