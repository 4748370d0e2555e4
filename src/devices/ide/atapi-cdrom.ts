/**
 * A CD-ROM drive with a disc in it: PACKET commands of MMC-3 as ATAPI carries them.
 * ATA/ATAPI-6, section 9.8; MMC-3 (T10/1363D); SPC-3 for INQUIRY, MODE SENSE, REQUEST SENSE.
 * Left out: audio, raw sectors, changing the disc.
 */
import type { BlockBackend } from '../../bus/mod.ts';
import {
  type Checked,
  integer,
  type Persist,
  record,
  refine,
  section,
  u8,
} from '../../state/mod.ts';
import { BUFFER_BYTES, checkDriveState, IdeDrive, TASK } from './drive.ts';
import { COMMAND, ERROR, putString, STATUS, wordBytes } from './spec.ts';

const BLOCK_BYTES = 2048;
const PACKET_BYTES = 12;
const FRAMES_BEFORE_LBA_0 = 150;
const LEAD_OUT = 0xaa;

const REASON = { command: 1, toHost: 2, done: 3 } as const;
const SENSE = { none: 0, mediumError: 3, illegalRequest: 5 } as const;
const CODE = { none: 0, readError: 0x11, invalidCommand: 0x20, outOfRange: 0x21, badField: 0x24 };

const SCSI = {
  testUnitReady: 0x00,
  requestSense: 0x03,
  inquiry: 0x12,
  modeSense6: 0x1a,
  startStop: 0x1b,
  preventRemoval: 0x1e,
  readCapacity: 0x25,
  read10: 0x28,
  seek: 0x2b,
  readToc: 0x43,
  getConfiguration: 0x46,
  getEventStatus: 0x4a,
  readDiscInformation: 0x51,
  modeSense10: 0x5a,
  read12: 0xa8,
  setSpeed: 0xbb,
  mechanismStatus: 0xbd,
} as const;

const checkState = record({
  drive: checkDriveState,
  /** byte of the disc that is sent next, and how many follow */
  offset: integer(0, Number.MAX_SAFE_INTEGER),
  remaining: integer(0, Number.MAX_SAFE_INTEGER),
  limit: integer(0, 0xfffe),
  sense: u8,
  code: u8,
});
export type AtapiCdromState = Checked<typeof checkState>;

export interface AtapiCdromOptions {
  readonly name: string;
  readonly backend: BlockBackend;
}

export class AtapiCdrom extends IdeDrive {
  readonly name: string;
  readonly persist: Persist<AtapiCdromState>;
  readonly counters = { reads: 0, errors: 0 };
  protected readonly signature = [0x14, 0xeb] as const;
  readonly #backend: BlockBackend;
  readonly #blocks: number;
  #offset = 0;
  #remaining = 0;
  /** bytes that the host takes at a time */
  #limit = 0;
  #sense: number = SENSE.none;
  #code = 0;

  constructor(options: AtapiCdromOptions) {
    super();
    this.name = options.name;
    this.#backend = options.backend;
    this.#blocks = Math.ceil(options.backend.bytes / BLOCK_BYTES);
    this.persist = section({
      name: this.name,
      version: 1,
      check: refine(checkState, (state) => this.#isPossible(state), 'the state of this drive'),
      save: () => ({
        drive: this.saveDrive(),
        offset: this.#offset,
        remaining: this.#remaining,
        limit: this.#limit,
        sense: this.#sense,
        code: this.#code,
      }),
      load: (state) => {
        this.loadDrive(state.drive);
        this.#offset = state.offset;
        this.#remaining = state.remaining;
        this.#limit = state.limit;
        this.#sense = state.sense;
        this.#code = state.code;
      },
    });
    this.reset();
  }

  protected resetDrive(): void {
    this.#offset = 0;
    this.#remaining = 0;
    this.#limit = 0;
    this.#sense = SENSE.none;
    this.#code = 0;
  }

  protected execute(command: number): void {
    switch (command) {
      case COMMAND.packet: {
        const limit =
          ((this.task[TASK.lbaMid] as number) & 0xff) | ((this.task[TASK.lbaHigh] as number) << 8);
        this.#limit = Math.max(2, (limit & 0xffff) === 0xffff ? 0xfffe : limit & 0xfffe);
        this.#remaining = 0;
        this.takeBlock(PACKET_BYTES, true);
        this.task[TASK.count] = REASON.command;
        return;
      }
      case COMMAND.identifyPacket:
        this.sendBlock(this.#identity());
        return;
      case COMMAND.deviceReset:
        this.reset();
        return;
      case COMMAND.setFeatures:
      case COMMAND.idleImmediate:
      case COMMAND.standbyImmediate:
      case COMMAND.checkPower:
      case COMMAND.flushCache:
        this.complete();
        return;
      case COMMAND.identify:
      case COMMAND.readSectors:
        // By the signature the host learns that this is no disk.
        this.task.set([0, 1, 1, ...this.signature]);
        this.fail();
        return;
      default:
        this.fail();
        return;
    }
  }

  protected blockTaken(block: Uint8Array): void {
    const packet = new DataView(block.buffer, block.byteOffset, block.length);
    const operation = packet.getUint8(0);
    if (operation !== SCSI.requestSense) {
      this.#sense = SENSE.none;
      this.#code = CODE.none;
    }
    switch (operation) {
      case SCSI.testUnitReady:
      case SCSI.startStop:
      case SCSI.preventRemoval:
      case SCSI.setSpeed:
      case SCSI.seek:
        this.#good();
        return;
      case SCSI.requestSense:
        this.#reply(this.#senseData(), packet.getUint8(4));
        return;
      case SCSI.inquiry:
        this.#reply(inquiry(), packet.getUint16(3));
        return;
      case SCSI.readCapacity: {
        const reply = new Uint8Array(8);
        const view = new DataView(reply.buffer);
        view.setUint32(0, this.#blocks - 1);
        view.setUint32(4, BLOCK_BYTES);
        this.#reply(reply, 8);
        return;
      }
      case SCSI.read10:
        this.#read(packet.getUint32(2), packet.getUint16(7));
        return;
      case SCSI.read12:
        this.#read(packet.getUint32(2), packet.getUint32(6));
        return;
      case SCSI.readToc:
        this.#readToc(packet);
        return;
      case SCSI.modeSense6:
        this.#modeSense(packet.getUint8(2) & 0x3f, 4, packet.getUint8(4));
        return;
      case SCSI.modeSense10:
        this.#modeSense(packet.getUint8(2) & 0x3f, 8, packet.getUint16(7));
        return;
      case SCSI.getConfiguration:
        // Profile 8, CD-ROM, and no features.
        this.#reply(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 8), packet.getUint16(7));
        return;
      case SCSI.getEventStatus: {
        if ((packet.getUint8(1) & 1) === 0) {
          this.#check(SENSE.illegalRequest, CODE.badField);
          return;
        }
        const isMedia = (packet.getUint8(4) & 0x10) !== 0;
        const reply = isMedia ? [0, 6, 4, 0x10, 0, 2, 0, 0] : [0, 2, 0x80, 0x10];
        this.#reply(Uint8Array.from(reply), packet.getUint16(7));
        return;
      }
      case SCSI.readDiscInformation: {
        const reply = new Uint8Array(34);
        reply.set([0, 32, 0x0e, 1, 1, 1, 1]); // complete, one session, one track
        this.#reply(reply, packet.getUint16(7));
        return;
      }
      case SCSI.mechanismStatus:
        this.#reply(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0), packet.getUint16(8));
        return;
      default:
        this.#check(SENSE.illegalRequest, CODE.invalidCommand);
        return;
    }
  }

  #read(block: number, count: number): void {
    if (block + count > this.#blocks) {
      this.#check(SENSE.illegalRequest, CODE.outOfRange);
      return;
    }
    if (count === 0) {
      this.#good();
      return;
    }
    this.counters.reads++;
    this.#offset = block * BLOCK_BYTES;
    this.#remaining = count * BLOCK_BYTES;
    this.#transfer(() => this.#sendNext());
  }

  /** Sends a reply of at most `allocated` bytes. */
  #reply(reply: Uint8Array<ArrayBuffer>, allocated: number): void {
    const part = reply.slice(0, allocated);
    if (part.length === 0) {
      this.#good();
      return;
    }
    this.#remaining = 0;
    this.#transfer(() => this.#send(part));
  }

  /** Begins the data phase in the way that the host chose when it sent the packet. */
  #transfer(send: () => void): void {
    this.isDma = ((this.task[TASK.features] as number) & 1) !== 0;
    send();
    if (this.isDma) this.onDmaReady();
  }

  #sendNext(): void {
    const length = Math.min(this.#remaining, this.isDma ? BUFFER_BYTES : this.#limit);
    const block = new Uint8Array(length);
    // The last block of an image may be short.
    const there = Math.max(0, Math.min(length, this.#backend.bytes - this.#offset));
    try {
      this.#backend.read(this.#offset, block.subarray(0, there));
    } catch {
      this.counters.errors++;
      this.#check(SENSE.mediumError, CODE.readError);
      return;
    }
    this.#offset += length;
    this.#remaining -= length;
    this.#send(block);
  }

  #send(block: Uint8Array<ArrayBuffer>): void {
    this.task[TASK.count] = REASON.toHost;
    this.task[TASK.lbaMid] = block.length & 0xff;
    this.task[TASK.lbaHigh] = (block.length >> 8) & 0xff;
    this.sendBlock(block);
  }

  protected blockSent(): void {
    if (this.command === COMMAND.identifyPacket) this.status = STATUS.DRDY | STATUS.DSC;
    else if (this.#remaining > 0) this.#sendNext();
    else this.#good();
  }

  #good(): void {
    this.task[TASK.count] = REASON.done;
    this.complete();
  }

  /** CHECK CONDITION: the host asks why by REQUEST SENSE. */
  #check(sense: number, code: number): void {
    this.#sense = sense;
    this.#code = code;
    this.#remaining = 0;
    this.task[TASK.count] = REASON.done;
    this.fail((sense << 4) | ERROR.ABRT);
  }

  /** What is saved reaches no block beyond the disc; the host sends nothing but packets. */
  #isPossible({ drive, offset, remaining, limit }: AtapiCdromState): boolean {
    if (offset + remaining > this.#blocks * BLOCK_BYTES) return false;
    if (remaining > 0 && limit === 0) return false;
    return drive.direction !== 'out' || drive.buffer.length === PACKET_BYTES;
  }

  #senseData(): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(18);
    data[0] = 0x70;
    data[2] = this.#sense;
    data[7] = 10;
    data[12] = this.#code;
    return data;
  }

  /** MMC-3, section 5.23: one data track, from the start to the lead-out. */
  #readToc(packet: DataView): void {
    const msf = (packet.getUint8(1) & 2) !== 0;
    // Drives of before MMC took the format from the control byte.
    const format = packet.getUint8(2) & 0xf || packet.getUint8(9) >> 6;
    const first = packet.getUint8(6);
    const address = (block: number): number[] => {
      if (!msf) return [block >>> 24, (block >>> 16) & 0xff, (block >>> 8) & 0xff, block & 0xff];
      const frames = block + FRAMES_BEFORE_LBA_0;
      return [0, Math.floor(frames / 4500) & 0xff, Math.floor(frames / 75) % 60, frames % 75];
    };
    const allocated = packet.getUint16(7);
    if (format === 0) {
      if (first > 1 && first !== LEAD_OUT) {
        this.#check(SENSE.illegalRequest, CODE.badField);
        return;
      }
      const entries: number[] = [];
      if (first <= 1) entries.push(0, 0x14, 1, 0, ...address(0));
      entries.push(0, 0x14, LEAD_OUT, 0, ...address(this.#blocks));
      this.#reply(Uint8Array.of(0, entries.length + 2, 1, 1, ...entries), allocated);
      return;
    }
    if (format === 1) {
      this.#reply(Uint8Array.of(0, 10, 1, 1, 0, 0x14, 1, 0, ...address(0)), allocated);
      return;
    }
    this.#check(SENSE.illegalRequest, CODE.badField);
    return;
  }

  #modeSense(page: number, header: 4 | 8, allocated: number): void {
    const pages: Record<number, readonly number[]> = {
      1: [0x01, 6, 0, 5, 0, 0, 0, 0],
      // Capabilities: lockable, ejectable, tray.
      42: [0x2a, 18, 0, 0, 0, 0, 0x29, 0, 2, 0xc2, 0, 2, 0, 0, 2, 0xc2, 0, 0, 0, 0],
    };
    const wanted = page === 0x3f ? Object.values(pages).flat() : pages[page];
    if (wanted === undefined) {
      this.#check(SENSE.illegalRequest, CODE.badField);
      return;
    }
    const reply = new Uint8Array(header + wanted.length);
    const length = reply.length - (header === 8 ? 2 : 1);
    if (header === 8) {
      reply[0] = length >> 8;
      reply[1] = length;
      reply[2] = 0x01; // CD-ROM, 120 mm
    } else {
      reply[0] = length;
      reply[1] = 0x01;
    }
    reply.set(wanted, header);
    this.#reply(reply, allocated);
  }

  /** ATA/ATAPI-6, table 31 "IDENTIFY PACKET DEVICE information". */
  #identity(): Uint8Array<ArrayBuffer> {
    const words = new Uint16Array(256);
    words[0] = 0x85c0; // ATAPI, CD-ROM, removable, DRQ within 50 µs, 12-byte packets
    putString(words, 10, 10, 'viv-cdrom');
    putString(words, 23, 4, '1.0');
    putString(words, 27, 20, 'Vivarium CD-ROM');
    words[49] = 0x0f00;
    words[53] = 0x0007;
    words[63] = 0x0007;
    words[64] = 0x0003;
    words[65] = words[66] = 120;
    words[67] = words[68] = 120;
    words[80] = 0x007e;
    words[82] = 0x4010; // PACKET
    words[83] = 0x4000;
    words[85] = 0x4010;
    words[88] = 0x203f;
    words[93] = 0x600b;
    return wordBytes(words);
  }
}

/** SPC-3, section 6.4.2. */
function inquiry(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(36);
  data.set([0x05, 0x80, 0x05, 0x32, 31]); // CD-ROM, removable, MMC, ATAPI response format
  data.set(new TextEncoder().encode('VIVARIUMCD-ROM          1.0 '), 8);
  return data;
}
