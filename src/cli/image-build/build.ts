import { existsSync, statSync } from 'node:fs';
import { sessionKey } from '../../daemon/mod.ts';
import { isPackageName } from '../../guest/mod.ts';
import { buildDebianImage } from '../../platform/node/image/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { formatFor } from '../disk/image-host.ts';
import { parseDiskSize } from '../disk/size.ts';
import { EXIT_OK } from '../exit-code.ts';
import { say } from '../messages.ts';
import { ProgressBar } from '../progress-bar.ts';
import { SignalWatch } from '../signals.ts';
import type { BuildOptions } from './command.ts';

/** A system with a kernel takes half of this; less is a slip of the pen. */
const LEAST_BYTES = 1 << 30;

/** `viv image build DISTRIBUTION`; returns the exit code. */
export async function buildImage(distribution: string, options: BuildOptions): Promise<number> {
  if (distribution !== 'debian') {
    throw invalid(`"${distribution}" is no distribution that can be built; there is debian`);
  }
  const output = options.output ?? `${distribution}.qcow2`;
  const { release, packages, mirror, hostname, autologin, force, json } = options;
  const bytes = parseDiskSize(options.size);
  if (bytes < LEAST_BYTES) throw invalid('--size: a system needs 1G at least');
  for (const name of packages) {
    if (!isPackageName(name)) throw invalid(`"${name}" is no name of a package`);
  }
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(release))
    throw invalid(`"${release}" is no name of a release`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$/.test(hostname)) {
    throw invalid(`"${hostname}" is no name of a host`);
  }
  if (mirror !== undefined && !/^(https?|file|copy):\/\/\S+$/.test(mirror)) {
    throw invalid(`"${mirror}" names no mirror; it should be like https://HOST/debian`);
  }
  if (existsSync(output) && !force) {
    throw new VivariumError(
      'image-exists',
      `${output} is there already; say --force to replace it`,
    );
  }
  const { publicKey } = await sessionKey();
  const bar = new ProgressBar('building the image');
  const signals = new SignalWatch(false);
  const abort = new AbortController();
  void signals.first.then((code) => abort.abort(code));
  let isMade = false;
  try {
    await buildDebianImage({
      signal: abort.signal,
      output,
      format: formatFor(output, undefined),
      bytes,
      release,
      packages,
      hostname,
      autologin,
      authorizedKeys: [publicKey],
      mirror,
      progress: (what, done) => bar.show(what, done),
    });
    isMade = true;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    bar.close();
  }
  if (!isMade) {
    say('interrupted; no image was made');
    return abort.signal.reason as number;
  }
  const result = { image: output, distribution, release, bytes, fileBytes: statSync(output).size };
  process.stdout.write(
    json ? `${JSON.stringify(result)}\n` : `${output} is ready; boot it with: viv run ${output}\n`,
  );
  return EXIT_OK;
}

function invalid(message: string): VivariumError {
  return new VivariumError('option-invalid', message);
}
