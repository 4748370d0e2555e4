/** The NVM command set: what a disk does. NVM Express 1.4, section 6. */
import { type BlockBackend, SECTOR_BYTES } from '../../bus/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { newBlockCounters } from '../block-counters.ts';
import { BlockTransfer } from '../block-transfer.ts';
import type { GuestBuffers } from '../guest-buffers.ts';
import type { NvmeCommand } from './command.ts';
import { transferPages } from './prp.ts';
import { ALL_NAMESPACES, MAX_TRANSFER_BYTES, NAMESPACE_ID, NVM, STATUS } from './spec.ts';

const FORCE_UNIT_ACCESS = 1 << 30;
const ATTRIBUTE_DEALLOCATE = 1 << 2;
const RANGE_BYTES = 16;

export interface IoCommandsOptions {
  readonly backend: BlockBackend;
  readonly memory: GuestMemory;
  /** false when every write is to be durable at once */
  readonly writeCache: () => boolean;
}

export class IoCommands {
  readonly counters = newBlockCounters();
  readonly #backend: BlockBackend;
  readonly #memory: GuestMemory;
  readonly #writeCache: () => boolean;
  readonly #transfers: BlockTransfer;

  constructor(options: IoCommandsOptions) {
    this.#backend = options.backend;
    this.#transfers = new BlockTransfer(options.backend);
    this.#memory = options.memory;
    this.#writeCache = options.writeCache;
  }

  /** Makes all writes durable; false when that failed. */
  flush(): boolean {
    return this.#guard(NVM.flush, () => this.#flush()) === STATUS.success;
  }

  /** Carries out a command; returns its status. */
  serve(command: NvmeCommand): number {
    return this.#guard(command.opcode, () => this.#carryOut(command));
  }

  #guard(opcode: number, work: () => number): number {
    let status: number;
    try {
      status = work();
    } catch (error) {
      if (!(error instanceof VivariumError)) throw error;
      if (error.code === 'disk-full') status = STATUS.capacityExceeded;
      else status = opcode === NVM.read ? STATUS.readError : STATUS.writeFault;
    }
    if (status !== STATUS.success) this.counters.errors++;
    return status;
  }

  #flush(): number {
    this.counters.flushes++;
    if (!this.#backend.isReadOnly) this.#backend.flush();
    return STATUS.success;
  }

  #carryOut(command: NvmeCommand): number {
    const { opcode, namespace } = command;
    if (command.isForeign) return STATUS.invalidField;
    if (namespace !== NAMESPACE_ID && !(opcode === NVM.flush && namespace === ALL_NAMESPACES)) {
      return STATUS.invalidNamespace;
    }
    switch (opcode) {
      case NVM.flush:
        return this.#flush();
      case NVM.read:
      case NVM.write:
      case NVM.compare:
        return this.#transfer(command);
      case NVM.writeZeroes:
        return this.#writeZeroes(command);
      case NVM.datasetManagement:
        return this.#datasetManagement(command);
      default:
        return STATUS.invalidOpcode;
    }
  }

  #transfer(command: NvmeCommand): number {
    const start = startOf(command);
    const bytes = bytesOf(command);
    if (bytes > MAX_TRANSFER_BYTES) return STATUS.invalidField;
    if (!this.#isWithin(start, bytes)) return STATUS.lbaOutOfRange;
    const pages = transferPages(this.#memory, command, bytes);
    if (typeof pages === 'number') return pages;
    if (command.opcode === NVM.read) return this.#read(start, pages);
    if (command.opcode === NVM.compare) return this.#compare(start, pages);
    if (this.#backend.isReadOnly) return STATUS.readOnlyRange;
    return this.#write(command, start, pages);
  }

  #read(start: number, pages: GuestBuffers): number {
    this.counters.reads++;
    this.counters.bytesRead += pages.bytes;
    this.#transfers.read(start, pages, 0, pages.bytes);
    return STATUS.success;
  }

  #write(command: NvmeCommand, start: number, pages: GuestBuffers): number {
    this.counters.writes++;
    this.counters.bytesWritten += pages.bytes;
    this.#transfers.write(start, pages, 0, pages.bytes);
    if (command.dw12 & FORCE_UNIT_ACCESS) this.#backend.flush();
    else this.#writeThrough();
    return STATUS.success;
  }

  #compare(start: number, pages: GuestBuffers): number {
    this.counters.reads++;
    const ours = new Uint8Array(pages.bytes);
    const theirs = new Uint8Array(pages.bytes);
    this.#backend.read(start, ours);
    pages.read(0, theirs);
    const isDifferent = ours.some((byte, at) => byte !== theirs[at]);
    return isDifferent ? STATUS.compareFailure : STATUS.success;
  }

  #writeZeroes(command: NvmeCommand): number {
    const start = startOf(command);
    const bytes = bytesOf(command);
    if (!this.#isWithin(start, bytes)) return STATUS.lbaOutOfRange;
    if (this.#backend.isReadOnly) return STATUS.readOnlyRange;
    this.counters.writes++;
    this.#backend.writeZeroes(start, bytes);
    this.#writeThrough();
    return STATUS.success;
  }

  /**
   * Ranges, 16 bytes each: attributes (4), length (4), start (8). Only deallocation does something; the
   * ranges are checked before the first is touched.
   */
  #datasetManagement(command: NvmeCommand): number {
    const bytes = ((command.dw10 & 0xff) + 1) * RANGE_BYTES;
    const pages = transferPages(this.#memory, command, bytes);
    if (typeof pages === 'number') return pages;
    const view = new DataView(new ArrayBuffer(bytes));
    pages.read(0, new Uint8Array(view.buffer));
    const ranges: { start: number; bytes: number }[] = [];
    for (let at = 0; at < bytes; at += RANGE_BYTES) {
      const length = view.getUint32(at + 4, true) * SECTOR_BYTES;
      const sector = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 2 ** 32;
      if (!this.#isWithin(sector * SECTOR_BYTES, length)) return STATUS.lbaOutOfRange;
      ranges.push({ start: sector * SECTOR_BYTES, bytes: length });
    }
    if ((command.dw11 & ATTRIBUTE_DEALLOCATE) === 0) return STATUS.success;
    if (this.#backend.isReadOnly) return STATUS.readOnlyRange;
    this.counters.discards++;
    for (const range of ranges) this.#backend.discard(range.start, range.bytes);
    return STATUS.success;
  }

  #writeThrough(): void {
    if (!this.#writeCache()) this.#backend.flush();
  }

  #isWithin(start: number, bytes: number): boolean {
    return start + bytes <= this.#backend.bytes;
  }
}

/** First byte of the command's range. */
function startOf({ dw10, dw11 }: NvmeCommand): number {
  return (dw10 + dw11 * 2 ** 32) * SECTOR_BYTES;
}

/** Its length; the command counts sectors from zero. */
function bytesOf({ dw12 }: NvmeCommand): number {
  return ((dw12 & 0xffff) + 1) * SECTOR_BYTES;
}
