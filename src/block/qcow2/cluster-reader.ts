/** Reads the disk through the tables of an image and the images behind it. */
import type { BlockBackend } from '../../bus/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import type { ImageCodecs } from './codecs.ts';
import type { Mapping } from './entries.ts';
import { corrupt } from './header.ts';
import type { L2Map } from './l2-map.ts';
import { zstdFrameBytes } from './zstd-frame.ts';

export interface ClusterReaderOptions {
  readonly file: RandomAccessFile;
  readonly map: L2Map;
  readonly codecs: ImageCodecs;
  readonly compression: 'deflate' | 'zstd';
  readonly clusterBytes: number;
  readonly backing: BlockBackend | undefined;
}

export class ClusterReader {
  readonly #options: ClusterReaderOptions;
  readonly #clusterBytes: number;
  /** the compressed cluster that was unpacked last, by its place */
  #unpackedFrom = -1;
  #unpacked = new Uint8Array(0);

  constructor(options: ClusterReaderOptions) {
    this.#options = options;
    this.#clusterBytes = options.clusterBytes;
  }

  /** Fills `target` from byte `offset` of the disk. */
  read(offset: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length) {
      const at = offset + done;
      const index = Math.floor(at / this.#clusterBytes);
      const from = at % this.#clusterBytes;
      const mapping = this.#options.map.lookUp(index);
      const run = this.#run(index, mapping, from, target.length - done);
      this.#readRun(at, mapping, from, target.subarray(done, done + run));
      done += run;
    }
  }

  /** Fills `whole` with cluster `index`, which is mapped so. */
  readCluster(index: number, mapping: Mapping, whole: Uint8Array): void {
    this.#readRun(index * this.#clusterBytes, mapping, 0, whole);
  }

  /** Bytes from `from` on that can be read at once, at most `wanted`. */
  #run(index: number, mapping: Mapping, from: number, wanted: number): number {
    let run = Math.min(this.#clusterBytes - from, wanted);
    if (mapping.kind === 'compressed') return run;
    for (let ahead = 1; run < wanted; ahead++) {
      const next = this.#options.map.lookUp(index + ahead);
      if (next.kind !== mapping.kind) break;
      if (
        mapping.kind === 'data' &&
        next.kind === 'data' &&
        next.host !== mapping.host + ahead * this.#clusterBytes
      ) {
        break;
      }
      run += Math.min(this.#clusterBytes, wanted - run);
    }
    return run;
  }

  #readRun(at: number, mapping: Mapping, from: number, target: Uint8Array): void {
    switch (mapping.kind) {
      case 'data':
        this.#options.file.read(mapping.host + from, target);
        return;
      case 'compressed':
        target.set(this.#unpack(mapping).subarray(from, from + target.length));
        return;
      case 'unallocated':
        readBehind(this.#options.backing, at, target);
        return;
      default:
        target.fill(0);
    }
  }

  #unpack(mapping: { host: number; bytes: number }): Uint8Array {
    if (this.#unpackedFrom === mapping.host) return this.#unpacked;
    const { file, codecs, compression } = this.#options;
    const packed = new Uint8Array(mapping.bytes);
    file.read(mapping.host, packed);
    let plain: Uint8Array | undefined;
    try {
      if (compression === 'zstd') {
        const frame = packed.subarray(0, zstdFrameBytes(packed) ?? 0);
        plain = codecs.unzstd(frame, this.#clusterBytes);
      } else plain = codecs.inflateRaw(packed, this.#clusterBytes);
    } catch {
      plain = undefined;
    }
    if (plain === undefined || plain.length < this.#clusterBytes) {
      throw corrupt(file.name, 'a compressed cluster cannot be unpacked');
    }
    this.#unpacked = new Uint8Array(plain.subarray(0, this.#clusterBytes));
    this.#unpackedFrom = mapping.host;
    return this.#unpacked;
  }
}

/** Reads the image behind, which may be shorter than the one before it. */
function readBehind(backing: BlockBackend | undefined, at: number, target: Uint8Array): void {
  const there =
    backing === undefined ? 0 : Math.max(0, Math.min(target.length, backing.bytes - at));
  if (there > 0) backing?.read(at, target.subarray(0, there));
  target.fill(0, there);
}
