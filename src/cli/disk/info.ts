import { type ImageInfo, imageInfo } from '../../block/mod.ts';
import { host, parseFormat } from './image-host.ts';
import { formatBytes } from './size.ts';

export interface InfoOptions {
  readonly format?: string;
  readonly json: boolean;
}

/** `viv disk info FILE`: what the image is; returns the text. */
export function describeDisk(path: string, options: InfoOptions): string {
  const info = imageInfo(host, path, parseFormat(options.format));
  return options.json ? `${JSON.stringify(info, null, 2)}\n` : asText(info);
}

function asText(info: ImageInfo): string {
  const lines = [
    ['image', info.path],
    ['format', info.qcow2 ? `qcow2, version ${info.qcow2.version}` : info.format],
    ['capacity', `${formatBytes(info.virtualBytes)} (${info.virtualBytes} bytes)`],
    ['on the host', formatBytes(info.allocatedBytes ?? info.fileBytes)],
  ];
  const { qcow2 } = info;
  if (qcow2 !== undefined) {
    lines.push(['clusters', `${formatBytes(qcow2.clusterBytes)}, ${qcow2.compression}`]);
    if (qcow2.backing) {
      const { name, format } = qcow2.backing;
      lines.push(['stands on', format === undefined ? name : `${name} (${format})`]);
    }
    if (qcow2.isDirty) lines.push(['state', 'was not closed properly']);
    if (qcow2.isCorrupt) lines.push(['state', 'marked as damaged']);
    for (const { id, name, createdAt } of qcow2.snapshots) {
      const when = new Date(createdAt * 1000).toISOString().slice(0, 16).replace('T', ' ');
      lines.push([`snapshot ${id}`, `${name}, ${when}`]);
    }
  }
  return lines.map(([name = '', value]) => `${name.padEnd(13)}${printable(value)}\n`).join('');
}

/** Names in an image may hold anything; the terminal is not to obey them. */
function printable(text = ''): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
}
