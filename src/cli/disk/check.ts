import { type CheckReport, checkImage, imageInfo, repairImage } from '../../block/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { files, host, parseFormat, withLock } from './image-host.ts';

export interface CheckOptions {
  readonly format?: string;
  readonly repair: boolean;
  readonly json: boolean;
}

/** `viv disk check FILE`. Throws `disk-corrupt` when the image has faults. */
export function checkDisk(
  path: string,
  options: CheckOptions,
  write: (text: string) => void,
): void {
  const format = parseFormat(options.format);
  const info = imageInfo(host, path, format);
  if (info.format === 'raw') {
    write(`${path}: a raw image has nothing to check\n`);
    return;
  }
  const report = withLock(path, options.repair ? 'write' : 'read', format, () => {
    const file = files.open(path, { readOnly: !options.repair });
    try {
      return options.repair ? repairImage(file, host.codecs) : checkImage(file, host.codecs);
    } finally {
      file.close();
    }
  });
  if (options.json) write(`${JSON.stringify(report, null, 2)}\n`);
  if (report.faultCount > 0) throw faulty(path, report);
  if (options.json) return;
  const leaks =
    report.leaks === 0
      ? ''
      : `; ${report.leaks} clusters are taken for nothing (--repair frees them)`;
  write(`${path}: sound, ${report.allocated} clusters in use${leaks}\n`);
}

function faulty(path: string, { faultCount, faults }: CheckReport): VivariumError {
  const rest = faultCount > faults.length ? `\n  and ${faultCount - faults.length} more` : '';
  return new VivariumError(
    'disk-corrupt',
    `the disk image ${path} has ${faultCount} faults:\n  ${faults.join('\n  ')}${rest}`,
  );
}
