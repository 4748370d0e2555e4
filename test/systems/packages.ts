/** What the tests of whole systems take out of Debian packages. */
import { extractDeb, isBusyboxPath, kernelVersionOf } from '../../src/guest/mod.ts';
import { GuestPackages, type GuestSourceOptions } from '../../src/platform/node/mod.ts';
import { VivariumError } from '../../src/util/mod.ts';

type Architecture = GuestSourceOptions['architecture'];

/** The files of a package whose path below the root `pattern` matches, by path. */
export async function filesOf(
  name: string,
  pattern: RegExp,
  architecture?: Architecture,
): Promise<Map<string, Uint8Array>> {
  const packages = new GuestPackages({ architecture });
  const { deb } = await packages.exclusively(() => packages.obtain(name));
  const files = await extractDeb(deb, (path) => pattern.test(path));
  if (files.size === 0) throw new Error(`the package ${name} has no file ${pattern}`);
  return files;
}

/** The kernel that a meta package such as `linux-image-686` stands for, a bzImage. */
export async function kernelOf(meta: string, architecture?: Architecture): Promise<Uint8Array> {
  const packages = new GuestPackages({ architecture });
  const { deb } = await packages.exclusively(() => packages.kernel(meta));
  const [image] = (await extractDeb(deb, (path) => kernelVersionOf(path) !== undefined)).values();
  if (image === undefined) throw new Error(`the package of ${meta} has no kernel`);
  return image;
}

export async function busyboxOf(architecture?: Architecture): Promise<Uint8Array> {
  const packages = new GuestPackages({ architecture });
  const { deb } = await packages.exclusively(() => packages.obtain('busybox-static'));
  const [busybox] = (await extractDeb(deb, isBusyboxPath)).values();
  if (busybox === undefined) throw new Error('the package has no busybox');
  return busybox;
}

/** What a test needs, or the sentence why it must be skipped. */
export type Fetched<T> =
  | { readonly value: T; readonly skip: false }
  | { readonly value?: undefined; readonly skip: string };

/**
 * Runs `fetch` when the tests are set up: what it gives, or the sentence why a test must be skipped
 * because a package cannot be had. Every other error is a failure.
 */
export async function orSkip<T>(fetch: () => Promise<T>): Promise<Fetched<T>> {
  try {
    return { value: await fetch(), skip: false };
  } catch (error) {
    if (error instanceof VivariumError) return { skip: error.message };
    throw error;
  }
}
