import { GP, GuestFault, PF } from '../../src/x86/fault.ts';
import type { Case, Change } from './case.ts';
import {
  CODE_ADDRESS,
  CODE_BYTES,
  CODE_END,
  CODE_FILLER,
  DATA_ADDRESS,
  DATA_BYTES,
  DATA_END,
  PAGE,
  WRITABLE_BYTES,
} from './layout.ts';

export type Access = 'read' | 'write' | 'execute';

const ERROR_PRESENT = 1;
const ERROR_WRITE = 2;
const ERROR_USER = 4;
const ERROR_FETCH = 16;

/** The memory of a case, as layout.ts has it, for processors that do not need page tables. */
export class CaseMemory {
  readonly code = new Uint8Array(CODE_BYTES).fill(CODE_FILLER);
  readonly data = new Uint8Array(DATA_BYTES);
  readonly #before: BigUint64Array;
  readonly #now = new BigUint64Array(this.data.buffer);

  constructor(image: Uint8Array) {
    this.data.set(image);
    this.#before = new BigUint64Array(image.slice().buffer);
  }

  /** Puts the code and the patches of `each` in place. */
  enter(each: Case): void {
    this.code.set(each.code, each.codeAddress - CODE_ADDRESS);
    for (const { offset, bytes } of each.patches) this.data.set(bytes, offset);
  }

  /** Restores everything; tells what the case left changed. */
  leave(each: Case): Change[] {
    const at = each.codeAddress - CODE_ADDRESS;
    this.code.fill(CODE_FILLER, at, at + each.code.length);
    const changes: Change[] = [];
    for (let i = 0; i < WRITABLE_BYTES / 8; i++) {
      const value = this.#now[i] as bigint;
      if (value === this.#before[i]) continue;
      changes.push({ offset: 8 * i, value });
      this.#now[i] = this.#before[i] as bigint;
    }
    return changes;
  }

  /** The bytes behind `address`, and how many follow in the page. Throws GuestFault as a user access does. */
  translate(address: bigint, access: Access): { bytes: Uint8Array; at: number; left: number } {
    if (BigInt.asIntN(48, address) !== BigInt.asIntN(64, address)) throw new GuestFault(GP, 0);
    const linear = Number(address);
    const left = PAGE - (linear % PAGE);
    const kind = access === 'write' ? ERROR_WRITE : access === 'execute' ? ERROR_FETCH : 0;
    if (linear >= DATA_ADDRESS && linear < DATA_END) {
      const writable = linear < DATA_ADDRESS + WRITABLE_BYTES;
      if (access === 'read' || (access === 'write' && writable)) {
        return { bytes: this.data, at: linear - DATA_ADDRESS, left };
      }
      throw new GuestFault(PF, ERROR_PRESENT | ERROR_USER | kind, address);
    }
    if (linear >= CODE_ADDRESS && linear < CODE_END) {
      if (access !== 'write') return { bytes: this.code, at: linear - CODE_ADDRESS, left };
      throw new GuestFault(PF, ERROR_PRESENT | ERROR_USER | kind, address);
    }
    throw new GuestFault(PF, ERROR_USER | kind, address);
  }

  read(address: bigint, target: Uint8Array): void {
    this.#pieces(address, target.length, 'read', (bytes, at, length, done) => {
      target.set(bytes.subarray(at, at + length), done);
    });
  }

  /** Checks that `length` bytes can be written. */
  probe(address: bigint, length: number): void {
    this.#pieces(address, length, 'write', () => {});
  }

  /** All or nothing. */
  write(address: bigint, source: Uint8Array): void {
    this.probe(address, source.length);
    this.#pieces(address, source.length, 'write', (bytes, at, length, done) => {
      bytes.set(source.subarray(done, done + length), at);
    });
  }

  #pieces(
    address: bigint,
    length: number,
    access: Access,
    each: (bytes: Uint8Array, at: number, length: number, done: number) => void,
  ): void {
    let done = 0;
    while (done < length) {
      const here = BigInt.asUintN(64, address + BigInt(done));
      const { bytes, at, left } = this.translate(here, access);
      const piece = Math.min(left, length - done);
      each(bytes, at, piece, done);
      done += piece;
    }
  }
}
