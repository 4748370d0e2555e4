/** Checks the signature of an archive's InRelease file with gpgv(1) and the host's Debian keys. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VivariumError } from '../../../util/mod.ts';
import { runProcess } from './process.ts';

const KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/**
 * Returns the signed text. Throws `archive-untrusted` when the signature is wrong, or when it
 * cannot be checked and the archive at `url` is reached by a connection that anyone could forge.
 */
export async function verifyRelease(inRelease: Uint8Array, url: string): Promise<string> {
  const keyring = KEYRINGS.find((path) => existsSync(path));
  // A file is the user's own; so is the key, if there is one at all.
  if (url.startsWith('file:')) return signedText(inRelease);
  if (keyring !== undefined) {
    const text = await verify(inRelease, keyring, url);
    if (text !== undefined) return text;
  }
  if (url.startsWith('https:')) return signedText(inRelease);
  throw new VivariumError(
    'archive-untrusted',
    `the signature of the mirror ${url} cannot be checked without gpgv and Debian's keys ` +
      '(package debian-archive-keyring): use an https mirror',
  );
}

/** The checked text, or undefined if there is no gpgv. */
async function verify(
  inRelease: Uint8Array,
  keyring: string,
  url: string,
): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'vivarium-'));
  try {
    const signed = join(directory, 'InRelease');
    const output = join(directory, 'Release');
    await writeFile(signed, inRelease);
    const arguments_ = ['--keyring', keyring, '--output', output, signed];
    const result = await runProcess('gpgv', arguments_).catch(() => undefined);
    if (!result) return undefined;
    if (result.code === 0) return await readFile(output, 'utf8');
    throw new VivariumError(
      'archive-untrusted',
      `the mirror ${url} is not signed by a key that Debian uses`,
      { cause: result.stderr },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The text within the clear-text signature (RFC 9580, section 7). */
function signedText(inRelease: Uint8Array): string {
  const text = new TextDecoder().decode(inRelease).replaceAll('\r\n', '\n');
  const body = /^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([\s\S]*?)\n-----BEGIN/.exec(
    text,
  );
  return (body?.[1] ?? text).replace(/^- /gm, '');
}
