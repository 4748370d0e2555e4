/** Carries out one request to a block device. VIRTIO 1.2, section 5.2.6. */
import { type BlockBackend, SECTOR_BYTES } from '../../../bus/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { newBlockCounters } from '../../block-counters.ts';
import { BlockTransfer } from '../../block-transfer.ts';
import type { DescriptorChain } from '../queue/chain.ts';
import {
  ID_BYTES,
  MAX_RANGE_SECTORS,
  MAX_RANGES,
  RANGE_BYTES,
  RANGE_F_UNMAP,
  REQUEST_HEADER_BYTES,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
  VIRTIO_BLK_T_DISCARD,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
  VIRTIO_BLK_T_WRITE_ZEROES,
} from './spec.ts';

/** Serves requests from a backend. */
export class BlockRequests {
  readonly counters = newBlockCounters();
  readonly #backend: BlockBackend;
  readonly #serial: Uint8Array;
  readonly #header = new DataView(new ArrayBuffer(REQUEST_HEADER_BYTES));
  readonly #transfer: BlockTransfer;

  constructor(backend: BlockBackend, serial: string) {
    this.#backend = backend;
    this.#transfer = new BlockTransfer(backend);
    this.#serial = new Uint8Array(ID_BYTES);
    this.#serial.set(new TextEncoder().encode(serial).subarray(0, ID_BYTES));
  }

  /**
   * Carries out the request and writes its status. Returns the bytes written to the driver's buffers,
   * or undefined when the request has no header or no room for a status.
   * @param writeThrough the driver cannot flush: what it writes is durable at once
   */
  serve(chain: DescriptorChain, writeThrough: boolean): number | undefined {
    if (chain.readable < REQUEST_HEADER_BYTES || chain.writable < 1) return undefined;
    chain.read(0, new Uint8Array(this.#header.buffer));
    let status: number;
    try {
      status = this.#carryOut(chain, writeThrough);
    } catch (error) {
      if (!(error instanceof VivariumError)) throw error;
      status = VIRTIO_BLK_S_IOERR;
    }
    if (status !== VIRTIO_BLK_S_OK) this.counters.errors++;
    chain.write(chain.writable - 1, Uint8Array.of(status));
    return chain.writable;
  }

  #carryOut(chain: DescriptorChain, writeThrough: boolean): number {
    const type = this.#header.getUint32(0, true);
    const sector = this.#header.getUint32(8, true) + this.#header.getUint32(12, true) * 2 ** 32;
    switch (type) {
      case VIRTIO_BLK_T_IN:
        return this.#read(chain, sector);
      case VIRTIO_BLK_T_OUT:
        return this.#write(chain, sector, writeThrough);
      case VIRTIO_BLK_T_FLUSH:
        this.counters.flushes++;
        if (!this.#backend.isReadOnly) this.#backend.flush();
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_GET_ID:
        chain.write(0, this.#serial.subarray(0, Math.min(ID_BYTES, chain.writable - 1)));
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_DISCARD:
      case VIRTIO_BLK_T_WRITE_ZEROES:
        return this.#release(chain, type === VIRTIO_BLK_T_DISCARD, writeThrough);
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  #read(chain: DescriptorChain, sector: number): number {
    const bytes = chain.writable - 1;
    if (!this.#isWithin(sector, bytes)) return VIRTIO_BLK_S_IOERR;
    this.counters.reads++;
    this.counters.bytesRead += bytes;
    this.#transfer.read(sector * SECTOR_BYTES, chain.writableBuffers, 0, bytes);
    return VIRTIO_BLK_S_OK;
  }

  #write(chain: DescriptorChain, sector: number, writeThrough: boolean): number {
    const bytes = chain.readable - REQUEST_HEADER_BYTES;
    if (this.#backend.isReadOnly || !this.#isWithin(sector, bytes)) return VIRTIO_BLK_S_IOERR;
    this.counters.writes++;
    this.counters.bytesWritten += bytes;
    const { readableBuffers } = chain;
    this.#transfer.write(sector * SECTOR_BYTES, readableBuffers, REQUEST_HEADER_BYTES, bytes);
    if (writeThrough) this.#backend.flush();
    return VIRTIO_BLK_S_OK;
  }

  /** Discard or write zeroes: all ranges are checked before the first is touched. */
  #release(chain: DescriptorChain, isDiscard: boolean, writeThrough: boolean): number {
    const bytes = chain.readable - REQUEST_HEADER_BYTES;
    const count = bytes / RANGE_BYTES;
    if (this.#backend.isReadOnly || !Number.isInteger(count) || count < 1 || count > MAX_RANGES) {
      return VIRTIO_BLK_S_IOERR;
    }
    const view = new DataView(new ArrayBuffer(bytes));
    chain.read(REQUEST_HEADER_BYTES, new Uint8Array(view.buffer));
    const ranges: { offset: number; bytes: number }[] = [];
    for (let at = 0; at < bytes; at += RANGE_BYTES) {
      const sector = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const sectors = view.getUint32(at + 8, true);
      const flags = view.getUint32(at + 12, true);
      if (flags & ~RANGE_F_UNMAP || (isDiscard && flags !== 0)) return VIRTIO_BLK_S_UNSUPP;
      if (sectors > MAX_RANGE_SECTORS || !this.#isWithin(sector, sectors * SECTOR_BYTES)) {
        return VIRTIO_BLK_S_IOERR;
      }
      ranges.push({ offset: sector * SECTOR_BYTES, bytes: sectors * SECTOR_BYTES });
    }
    this.counters.discards++;
    for (const range of ranges) {
      if (isDiscard) this.#backend.discard(range.offset, range.bytes);
      else this.#backend.writeZeroes(range.offset, range.bytes);
    }
    if (writeThrough) this.#backend.flush();
    return VIRTIO_BLK_S_OK;
  }

  #isWithin(sector: number, bytes: number): boolean {
    return bytes % SECTOR_BYTES === 0 && sector * SECTOR_BYTES + bytes <= this.#backend.bytes;
  }
}
