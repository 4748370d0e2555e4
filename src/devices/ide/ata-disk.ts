/**
 * A hard disk with the commands of ATA/ATAPI-6, 28-bit and 48-bit addresses, PIO and DMA.
 * Left out: security, SMART, host protected area, power states (the commands succeed and change nothing),
 * cylinder addresses of drives above 8 GB.
 */
import { type BlockBackend, SECTOR_BYTES } from '../../bus/mod.ts';
import {
  type Checked,
  integer,
  type Persist,
  record,
  refine,
  section,
  u32,
} from '../../state/mod.ts';
import { checkDriveState, IdeDrive, TASK } from './drive.ts';
import { COMMAND, DEVICE, ERROR, putString, STATUS, wordBytes } from './spec.ts';

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MAX_CYLINDERS = 16383;
/** READ MULTIPLE moves up to so many sectors a block. */
const MAX_MULTIPLE = 16;
/** Sectors that a DMA command moves at a time. */
const DMA_BLOCK = 128;
const LBA48_LIMIT = 2 ** 48;

const checkState = record({
  drive: checkDriveState,
  lba: integer(0, LBA48_LIMIT),
  remaining: u32,
  block: integer(1, DMA_BLOCK),
  multiple: integer(0, MAX_MULTIPLE),
});
export type AtaDiskState = Checked<typeof checkState>;

export interface AtaDiskOptions {
  readonly name: string;
  readonly backend: BlockBackend;
  /** up to 20 characters */
  readonly serial: string;
}

export class AtaDisk extends IdeDrive {
  readonly name: string;
  readonly persist: Persist<AtaDiskState>;
  readonly counters = { reads: 0, writes: 0, flushes: 0, errors: 0 };
  protected readonly signature = [0, 0] as const;
  readonly #backend: BlockBackend;
  readonly #serial: string;
  readonly #sectors: number;
  #lba = 0;
  #remaining = 0;
  #block = 1;
  #multiple = 0;

  constructor(options: AtaDiskOptions) {
    super();
    this.name = options.name;
    this.#backend = options.backend;
    this.#serial = options.serial;
    this.#sectors = Math.min(LBA48_LIMIT, Math.floor(options.backend.bytes / SECTOR_BYTES));
    this.persist = section({
      name: this.name,
      version: 1,
      check: refine(checkState, (state) => this.#isPossible(state), 'the state of this disk'),
      save: () => ({
        drive: this.saveDrive(),
        lba: this.#lba,
        remaining: this.#remaining,
        block: this.#block,
        multiple: this.#multiple,
      }),
      load: (state) => {
        this.loadDrive(state.drive);
        this.#lba = state.lba;
        this.#remaining = state.remaining;
        this.#block = state.block;
        this.#multiple = state.multiple;
      },
    });
    this.reset();
  }

  protected resetDrive(): void {
    this.#lba = 0;
    this.#remaining = 0;
    this.#block = 1;
    this.#multiple = 0;
  }

  protected execute(command: number): void {
    switch (command) {
      case COMMAND.readSectors:
      case COMMAND.readSectorsOnce:
        this.#read(false, 1);
        return;
      case COMMAND.readSectorsExt:
        this.#read(true, 1);
        return;
      case COMMAND.readMultiple:
        if (this.#multiple === 0) this.fail();
        else this.#read(false, this.#multiple);
        return;
      case COMMAND.readMultipleExt:
        if (this.#multiple === 0) this.fail();
        else this.#read(true, this.#multiple);
        return;
      case COMMAND.readDma:
        this.#read(false, DMA_BLOCK, true);
        return;
      case COMMAND.readDmaExt:
        this.#read(true, DMA_BLOCK, true);
        return;
      case COMMAND.writeSectors:
      case COMMAND.writeSectorsOnce:
        this.#write(false, 1);
        return;
      case COMMAND.writeSectorsExt:
        this.#write(true, 1);
        return;
      case COMMAND.writeMultiple:
        if (this.#multiple === 0) this.fail();
        else this.#write(false, this.#multiple);
        return;
      case COMMAND.writeMultipleExt:
        if (this.#multiple === 0) this.fail();
        else this.#write(true, this.#multiple);
        return;
      case COMMAND.writeDma:
        this.#write(false, DMA_BLOCK, true);
        return;
      case COMMAND.writeDmaExt:
        this.#write(true, DMA_BLOCK, true);
        return;
      case COMMAND.verifySectors:
      case COMMAND.verifySectorsOnce:
        if (this.#locate(false)) this.complete();
        else this.fail(ERROR.IDNF);
        return;
      case COMMAND.verifySectorsExt:
        if (this.#locate(true)) this.complete();
        else this.fail(ERROR.IDNF);
        return;
      case COMMAND.identify:
        this.sendBlock(this.#identity());
        return;
      case COMMAND.setMultiple: {
        const count = (this.task[TASK.count] as number) & 0xff;
        if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) {
          this.fail();
          return;
        }
        this.#multiple = count;
        this.complete();
        return;
      }
      case COMMAND.flushCache:
      case COMMAND.flushCacheExt:
        this.counters.flushes++;
        this.#guarded(() => {
          this.#backend.flush();
          this.complete();
        });
        return;
      case COMMAND.readNativeMax:
      case COMMAND.readNativeMaxExt:
        this.#reportAddress(this.#sectors - 1, command === COMMAND.readNativeMaxExt);
        this.complete();
        return;
      case COMMAND.checkPower:
        this.task[TASK.count] = 0xff; // active
        this.complete();
        return;
      case COMMAND.recalibrate:
      case COMMAND.seek:
      case COMMAND.initializeParameters:
      case COMMAND.setFeatures:
      case COMMAND.standby:
      case COMMAND.standbyImmediate:
      case COMMAND.idle:
      case COMMAND.idleImmediate:
      case COMMAND.sleep:
        this.complete();
        return;
      default:
        this.fail();
        return;
    }
  }

  #read(extended: boolean, block: number, dma = false): void {
    if (!this.#locate(extended)) {
      this.fail(ERROR.IDNF);
      return;
    }
    this.counters.reads++;
    this.#block = block;
    this.isDma = dma;
    this.#sendNext();
    if (dma) this.onDmaReady();
  }

  #sendNext(): void {
    this.#guarded(() => {
      const sectors = Math.min(this.#block, this.#remaining);
      const block = new Uint8Array(sectors * SECTOR_BYTES);
      this.#backend.read(this.#lba * SECTOR_BYTES, block);
      this.#lba += sectors;
      this.#remaining -= sectors;
      this.sendBlock(block);
    });
  }

  protected blockSent(): void {
    if (this.#remaining > 0) this.#sendNext();
    else if (this.isDma) this.complete();
    // A PIO read ends without another interrupt.
    else this.status = STATUS.DRDY | STATUS.DSC;
  }

  #write(extended: boolean, block: number, dma = false): void {
    if (!this.#locate(extended)) {
      this.fail(ERROR.IDNF);
      return;
    }
    if (this.#backend.isReadOnly) {
      this.fail();
      return;
    }
    this.counters.writes++;
    this.#block = block;
    this.isDma = dma;
    this.takeBlock(Math.min(block, this.#remaining) * SECTOR_BYTES, true);
    if (dma) this.onDmaReady();
  }

  protected blockTaken(block: Uint8Array): void {
    this.#guarded(() => {
      this.#backend.write(this.#lba * SECTOR_BYTES, block);
      this.#lba += block.length / SECTOR_BYTES;
      this.#remaining -= block.length / SECTOR_BYTES;
      if (this.#remaining === 0) this.complete();
      else this.takeBlock(Math.min(this.#block, this.#remaining) * SECTOR_BYTES, false);
    });
  }

  /** A failure of the backend is an error of the medium. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.counters.errors++;
      this.fail(ERROR.UNC);
    }
  }

  /** Takes address and count from the task file; false when they reach beyond the disk. */
  #locate(extended: boolean): boolean {
    this.#takeAddress(extended);
    if (this.#lba >= 0 && this.#lba + this.#remaining <= this.#sectors) return true;
    this.#lba = 0;
    this.#remaining = 0;
    return false;
  }

  #takeAddress(extended: boolean): void {
    const task = (index: number): number => this.task[index] as number;
    const low = (index: number): number => task(index) & 0xff;
    const high = (index: number): number => task(index) >> 8;
    if (extended) {
      const upper = high(TASK.lbaLow) + high(TASK.lbaMid) * 0x100 + high(TASK.lbaHigh) * 0x1_0000;
      this.#lba =
        upper * 2 ** 24 +
        low(TASK.lbaLow) +
        low(TASK.lbaMid) * 0x100 +
        low(TASK.lbaHigh) * 0x1_0000;
      this.#remaining = task(TASK.count) === 0 ? 0x1_0000 : task(TASK.count);
    } else {
      this.#remaining = low(TASK.count) === 0 ? 0x100 : low(TASK.count);
      const cylinder = low(TASK.lbaMid) | (low(TASK.lbaHigh) << 8);
      const head = this.device & DEVICE.head;
      if (this.device & DEVICE.LBA) {
        this.#lba = head * 2 ** 24 + cylinder * 0x100 + low(TASK.lbaLow);
      } else {
        // The sectors of a track count from one.
        const sector = low(TASK.lbaLow) - 1;
        this.#lba = sector < 0 ? -1 : (cylinder * HEADS + head) * SECTORS_PER_TRACK + sector;
      }
    }
  }

  /** What is saved reaches no sector beyond the disk, and moves no more than its commands do. */
  #isPossible({ drive, lba, remaining, block }: AtaDiskState): boolean {
    const sectors = drive.buffer.length / SECTOR_BYTES;
    if (lba + remaining > this.#sectors || !Number.isInteger(sectors)) return false;
    return sectors <= block && (drive.direction !== 'out' || sectors <= remaining);
  }

  #reportAddress(lba: number, extended: boolean): void {
    const byte = (index: number): number => Math.floor(lba / 2 ** (8 * index)) & 0xff;
    for (const [place, index] of [TASK.lbaLow, TASK.lbaMid, TASK.lbaHigh].entries()) {
      this.task[index] = byte(place) | (extended ? byte(place + 3) << 8 : 0);
    }
    if (!extended) this.device = (this.device & ~DEVICE.head) | Math.min(0xf, byte(3));
  }

  /** ATA/ATAPI-6, table 27 "IDENTIFY DEVICE information". */
  #identity(): Uint8Array<ArrayBuffer> {
    const words = new Uint16Array(256);
    // Firmware reads the first sectors by cylinder, so that the smallest disk has one, too.
    const whole = Math.floor(this.#sectors / (HEADS * SECTORS_PER_TRACK));
    const cylinders = Math.max(1, Math.min(MAX_CYLINDERS, whole));
    words[0] = 0x0040; // fixed device
    words[1] = cylinders;
    words[3] = HEADS;
    words[6] = SECTORS_PER_TRACK;
    putString(words, 10, 10, this.#serial);
    putString(words, 23, 4, '1.0');
    putString(words, 27, 20, 'Vivarium disk');
    words[47] = 0x8000 | MAX_MULTIPLE;
    words[49] = 0x0f00; // IORDY, LBA, DMA
    words[50] = 0x4000;
    words[53] = 0x0007;
    words[54] = cylinders;
    words[55] = HEADS;
    words[56] = SECTORS_PER_TRACK;
    const chs = Math.min(this.#sectors, cylinders * HEADS * SECTORS_PER_TRACK);
    words[57] = chs & 0xffff;
    words[58] = chs >>> 16;
    words[59] = this.#multiple === 0 ? 0 : 0x100 | this.#multiple;
    const lba28 = Math.min(this.#sectors, 0x0fff_ffff);
    words[60] = lba28 & 0xffff;
    words[61] = lba28 >>> 16;
    words[63] = 0x0007; // multiword DMA modes 0 to 2
    words[64] = 0x0003; // PIO modes 3 and 4
    for (let index = 65; index <= 68; index++) words[index] = 120; // cycle times in ns
    words[80] = 0x007e; // ATA-1 to ATA/ATAPI-6
    words[82] = 0x4000;
    words[83] = 0x7400; // FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses
    words[84] = 0x4000;
    words[85] = 0x4000;
    words[86] = 0x3400;
    words[87] = 0x4000;
    words[88] = 0x203f; // Ultra DMA modes 0 to 5, 5 selected
    words[93] = 0x600b;
    for (let index = 0; index < 4; index++) {
      words[100 + index] = Math.floor(this.#sectors / 2 ** (16 * index)) & 0xffff;
    }
    return wordBytes(words);
  }
}
