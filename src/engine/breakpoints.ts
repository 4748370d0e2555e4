/**
 * The breakpoints of DR0 to DR3 as the engines use them. SDM Vol. 3B, 18.2.
 *
 *   DR7  bits 2i, 2i+1  enable breakpoint i       RW  0 instruction  1 write  2 port (CR4.DE)  3 read or write
 *        bits 16+4i     RW, two bits              LEN 0 one byte  1 two  2 eight  3 four
 *        bits 18+4i     LEN, two bits
 *
 * Pages with data breakpoints are kept out of the TLB, so that accesses to them take the slow path; pages
 * with instruction breakpoints are kept out of its execute half, and run one instruction at a time.
 */
import { type CpuState, STATE } from '../x86/mod.ts';
import { CR4 } from '../x86/system/mod.ts';

const KIND_INSTRUCTION = 0;
const KIND_WRITE = 1;
const KIND_PORT = 2;
const LENGTHS = [1, 2, 8, 4] as const;

interface Breakpoint {
  /** bit of DR6 */
  readonly bit: number;
  readonly kind: number;
  readonly address: bigint;
  readonly bytes: number;
}

export class Breakpoints {
  /** some instruction, data or port breakpoint is enabled */
  hasCode = false;
  hasData = false;
  hasPorts = false;
  #all: readonly Breakpoint[] = [];
  #signature = '';

  /** Reads DR0 to DR3, DR7 and CR4.DE; true when something changed and cached translations must go. */
  update(state: CpuState): boolean {
    const dr7 = state.get32(STATE.dr + 7 * 8);
    if ((dr7 & 0xff) === 0 && this.#all.length === 0) return false;
    const all: Breakpoint[] = [];
    for (let index = 0; index < 4; index++) {
      if (((dr7 >>> (2 * index)) & 3) === 0) continue;
      const kind = (dr7 >>> (16 + 4 * index)) & 3;
      if (kind === KIND_PORT && (state.get32(STATE.cr4) & CR4.DE) === 0) continue;
      const length = LENGTHS[(dr7 >>> (18 + 4 * index)) & 3] as number;
      const bytes = kind === KIND_INSTRUCTION ? 1 : length;
      const address = state.get64(STATE.dr + index * 8) & ~BigInt(bytes - 1);
      all.push({ bit: 1 << index, kind, address, bytes });
    }
    const signature = all.map((each) => Object.values(each).join()).join(';');
    if (signature === this.#signature) return false;
    this.#signature = signature;
    this.#all = all;
    this.hasCode = all.some(({ kind }) => kind === KIND_INSTRUCTION);
    this.hasPorts = all.some(({ kind }) => kind === KIND_PORT);
    this.hasData = all.some(({ kind }) => kind === KIND_WRITE || kind > KIND_PORT);
    return true;
  }

  /** Bits of DR6 for the instruction at linear address `address`. */
  code(address: bigint): number {
    return this.#match(address, 1, (kind) => kind === KIND_INSTRUCTION);
  }

  /** Bits of DR6 for an access of `bytes` at linear address `address`. */
  data(address: bigint, bytes: number, writes: boolean): number {
    return this.#match(
      address,
      bytes,
      (kind) => kind > KIND_PORT || (kind === KIND_WRITE && writes),
    );
  }

  /** Bits of DR6 for an access to ports. */
  port(port: number, bytes: number): number {
    return this.#match(BigInt(port), bytes, (kind) => kind === KIND_PORT);
  }

  /** True when the page at linear address `page` must not be cached for data, or for execution. */
  coversPage(page: bigint, execute: boolean): boolean {
    const bits = execute
      ? this.#match(page, 4096, (kind) => kind === KIND_INSTRUCTION)
      : this.#match(page, 4096, (kind) => kind === KIND_WRITE || kind > KIND_PORT);
    return bits !== 0;
  }

  #match(address: bigint, bytes: number, wanted: (kind: number) => boolean): number {
    let bits = 0;
    for (const each of this.#all) {
      if (!wanted(each.kind)) continue;
      if (address < each.address + BigInt(each.bytes) && each.address < address + BigInt(bytes))
        bits |= each.bit;
    }
    return bits;
  }
}
