/**
 * The text formats of a Debian archive: control stanzas (deb-control(5)) as in Packages files and
 * as `apt-cache show` prints them, and the checksums of a Release file (Debian wiki,
 * DebianRepository/Format).
 */
import { VivariumError } from '../util/mod.ts';

/** What an archive says about one package. */
export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  /** path of the .deb below the root of the archive */
  readonly filename: string;
  readonly bytes: number;
  /** lower-case hexadecimal */
  readonly sha256: string;
  /** names of the packages it depends on; of alternatives the first */
  readonly depends: readonly string[];
}

/** Reads the stanzas of one text: fields by name. Continued lines are joined with newlines. */
export function parseStanzas(text: string): Map<string, string>[] {
  const stanzas: Map<string, string>[] = [];
  for (const block of text.split(/\n[ \t]*\n/)) {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of block.split('\n')) {
      const field = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
      if (field) {
        last = field[1]!;
        fields.set(last, field[2]!.trimEnd());
      } else if (/^[ \t]/.test(line) && last !== '') {
        fields.set(last, `${fields.get(last)}\n${line.trim()}`);
      }
    }
    if (fields.size > 0) stanzas.push(fields);
  }
  return stanzas;
}

/** Finds the newest record of a package among stanzas, or undefined. */
export function newestRecord(stanzas: string, name: string): PackageRecord | undefined {
  let newest: PackageRecord | undefined;
  for (const fields of parseStanzas(stanzas)) {
    if (fields.get('Package') !== name) continue;
    const record = toRecord(name, fields);
    if (!newest || compareVersions(record.version, newest.version) > 0) newest = record;
  }
  return newest;
}

/** The part of a Packages file that speaks of one package. */
export function stanzasOf(packages: string, name: string): string {
  const stanzas: string[] = [];
  const start = `Package: ${name}\n`;
  let at = packages.startsWith(start) ? 0 : packages.indexOf(`\n${start}`);
  while (at >= 0) {
    const end = packages.indexOf('\n\n', at + start.length);
    stanzas.push(packages.slice(at, end < 0 ? undefined : end).trim());
    at = end < 0 ? -1 : packages.indexOf(`\n${start}`, end);
  }
  return stanzas.join('\n\n');
}

function toRecord(name: string, fields: Map<string, string>): PackageRecord {
  const record = {
    name,
    version: fields.get('Version') ?? '',
    filename: fields.get('Filename') ?? '',
    bytes: Number(fields.get('Size') ?? Number.NaN),
    sha256: (fields.get('SHA256') ?? '').toLowerCase(),
    depends: dependencyNames(fields.get('Depends') ?? ''),
  };
  const isSafe = /^[\w.~+:-]+$/.test(record.version) && isSafePath(record.filename);
  if (!isSafe || !Number.isSafeInteger(record.bytes) || !/^[0-9a-f]{64}$/.test(record.sha256)) {
    throw new VivariumError('archive-damaged', `the archive's record of ${name} is damaged`);
  }
  return record;
}

/** A relative path that stays below its root. */
export function isSafePath(path: string): boolean {
  return /^[\w.~+:%-][\w.~+:%/-]*$/.test(path) && !path.split('/').includes('..');
}

function dependencyNames(depends: string): string[] {
  return depends
    .split(',')
    .map((clause) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(clause)?.[1])
    .filter((name) => name !== undefined);
}

/**
 * The package with the kernel itself that a meta package such as `linux-image-cloud-amd64` depends
 * on: `linux-image-6.1.0-44-cloud-amd64`. The record itself if it is not a meta package.
 */
export function kernelPackageName(meta: PackageRecord): string {
  const versioned = meta.depends.find((name) => /^linux-image-\d/.test(name));
  return versioned ?? meta.name;
}

/** The SHA-256 sums and sizes of the files that a Release or InRelease file lists. */
export function releaseSums(release: string): Map<string, { sha256: string; bytes: number }> {
  const sums = new Map<string, { sha256: string; bytes: number }>();
  for (const stanza of parseStanzas(release)) {
    for (const line of (stanza.get('SHA256') ?? '').split('\n')) {
      const [sha256, bytes, path] = line.trim().split(/\s+/);
      if (sha256 && bytes && path) sums.set(path, { sha256, bytes: Number(bytes) });
    }
  }
  return sums;
}

/**
 * Orders Debian versions, deb-version(7): epoch, then upstream version and revision, each compared
 * in turns by its non-digits (letters before others, `~` before the end) and its digits.
 */
export function compareVersions(left: string, right: string): number {
  const [leftEpoch, leftRest] = splitEpoch(left);
  const [rightEpoch, rightRest] = splitEpoch(right);
  if (leftEpoch !== rightEpoch) return leftEpoch - rightEpoch;
  const [leftUpstream, leftRevision] = splitRevision(leftRest);
  const [rightUpstream, rightRevision] = splitRevision(rightRest);
  return comparePart(leftUpstream, rightUpstream) || comparePart(leftRevision, rightRevision);
}

function splitEpoch(version: string): [number, string] {
  const colon = version.indexOf(':');
  return colon < 0 ? [0, version] : [Number(version.slice(0, colon)), version.slice(colon + 1)];
}

function splitRevision(version: string): [string, string] {
  const dash = version.lastIndexOf('-');
  return dash < 0 ? [version, ''] : [version.slice(0, dash), version.slice(dash + 1)];
}

function comparePart(left: string, right: string): number {
  const leftParts: string[] = left.match(/\D+|\d+/g) ?? [];
  const rightParts: string[] = right.match(/\D+|\d+/g) ?? [];
  // Both lists alternate; make them start with a non-digit part.
  if (/^\d/.test(left)) leftParts.unshift('');
  if (/^\d/.test(right)) rightParts.unshift('');
  for (let index = 0; index < Math.max(leftParts.length, rightParts.length); index++) {
    const [one, other] = [leftParts[index] ?? '', rightParts[index] ?? ''];
    const order = index % 2 === 0 ? compareText(one, other) : Number(one) - Number(other);
    if (order !== 0) return order;
  }
  return 0;
}

function compareText(left: string, right: string): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const order = rank(left[index]) - rank(right[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function rank(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined) return 0;
  const code = character.charCodeAt(0);
  return /[a-z]/i.test(character) ? code : code + 256;
}
