/**
 * The key with which commands enter guests over SSH: one for each user, made when it is first needed,
 * in `ssh/` beside the machines' directory. Images that this user builds accept it.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultRegistryDirectory } from './registry.ts';

export interface SessionKey {
  /** a line of an authorized_keys file */
  readonly publicKey: string;
  /** in the format of OpenSSH */
  readonly privateKey: string;
}

/** The user's key; made if there is none. */
export async function sessionKey(registryDirectory?: string): Promise<SessionKey> {
  const directory = join(dirname(registryDirectory ?? defaultRegistryDirectory()), 'ssh');
  const path = join(directory, 'id_ed25519');
  const kept = read(path);
  if (kept !== undefined) return kept;
  const { default: ssh2 } = await import('ssh2');
  const made = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'vivarium' });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // The public half comes first: whoever finds the private one finds both.
  for (const [name, text, mode] of [
    [`${path}.pub`, `${made.public}\n`, 0o644],
    [path, made.private, 0o600],
  ] as const) {
    const draft = `${name}.${process.pid}`;
    writeFileSync(draft, text, { mode });
    renameSync(draft, name);
  }
  return read(path) ?? { publicKey: made.public, privateKey: made.private };
}

function read(path: string): SessionKey | undefined {
  try {
    return {
      publicKey: readFileSync(`${path}.pub`, 'utf8').trim(),
      privateKey: readFileSync(path, 'utf8'),
    };
  } catch {
    return undefined;
  }
}
