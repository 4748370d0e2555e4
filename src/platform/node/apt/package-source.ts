/** Where Debian packages come from: the host's apt, or an archive that the user names. */
import type { PackageRecord } from '../../../guest/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import type { GuestCache } from '../guest-cache.ts';
import { AptSource, hasApt } from './apt-source.ts';
import { MirrorSource } from './mirror-source.ts';

/** Told in a few words what is being done; the same text may come again. */
export type ReportProgress = (message: string) => void;

/** Debian's name of what a package runs on. */
export type Architecture = 'amd64' | 'i386';

export interface PackageSource {
  /** The newest version of a package. Throws `package-unknown` if there is none. */
  describe(name: string): Promise<PackageRecord>;
  /** Fetches a package whose bytes the source vouches for. */
  download(record: PackageRecord): Promise<Uint8Array>;
}

/** Chooses the source: a mirror if one is named, else apt. */
export async function openPackageSource(
  cache: GuestCache,
  mirror: string | undefined,
  report: ReportProgress,
  architecture: Architecture = 'amd64',
): Promise<PackageSource> {
  if (mirror !== undefined && mirror !== '') return new MirrorSource(mirror, report, architecture);
  if (await hasApt()) return new AptSource(cache, report, architecture);
  throw new VivariumError(
    'no-package-source',
    'the default guest comes from Debian packages, and this host has no apt to fetch them with: ' +
      'name a Debian mirror in VIVARIUM_MIRROR, or your own files with --kernel and --initrd',
  );
}
