import type { FramePool } from '../memory/mod.ts';
import { TlbBank } from './tlb-bank.ts';
import { PRIVILEGE, TLB } from './tlb-layout.ts';

/** Address spaces whose user translations are kept at a time; Linux uses six process-context identifiers. */
const CONTEXTS = 8;

const LARGE_BYTES = 2 ** 21;

interface Context {
  readonly bank: TlbBank;
  /** process-context identifier, or -1 */
  pcid: number;
  lastUse: number;
}

/**
 * The software TLB of a vCPU. Each privilege has banks of its own, so that permission is part of the tag:
 * user code has one for each of several process-context identifiers (SDM Vol. 3A, 4.10.1), so that a kernel
 * which uses them finds a process's translations again; the supervisor's two hold what is global, and what
 * is not global of the present address space alone.
 */
export class Tlb {
  readonly #contexts: Context[] = [];
  #current: Context;
  readonly #supervisor: TlbBank;
  readonly #supervisorAc: TlbBank;
  /** execute translations alone, of one address space */
  readonly #userAc: TlbBank;
  readonly #banks: TlbBank[];
  #uses = 0;
  /** large pages whose 4 KiB pieces may be cached, by number of the 2 MiB page */
  readonly #large = new Set<number>();
  /** the same for pages that are larger, by number of the 1 GiB page */
  readonly #huge = new Set<number>();
  flushes = 0;

  static readonly bytes = TLB.bytes * (CONTEXTS + 3);

  constructor(pool: FramePool) {
    const base = pool.reserve(Tlb.bytes);
    this.#banks = Array.from(
      { length: CONTEXTS + 3 },
      (_, index) => new TlbBank(pool.words, base + index * TLB.bytes),
    );
    for (let i = 0; i < CONTEXTS; i++)
      this.#contexts.push({ bank: this.#banks[i] as TlbBank, pcid: -1, lastUse: 0 });
    this.#current = this.#contexts[0] as Context;
    this.#current.pcid = 0;
    this.#supervisor = this.#banks[CONTEXTS] as TlbBank;
    this.#supervisorAc = this.#banks[CONTEXTS + 1] as TlbBank;
    this.#userAc = this.#banks[CONTEXTS + 2] as TlbBank;
  }

  /** The bank that `privilege` uses in the present address space. */
  bank(privilege: number): TlbBank {
    return privilege === PRIVILEGE.user
      ? this.#current.bank
      : privilege === PRIVILEGE.supervisor
        ? this.#supervisor
        : privilege === PRIVILEGE.supervisorAc
          ? this.#supervisorAc
          : this.#userAc;
  }

  /** Notes that the page at (low, high) is a piece of one of `bytes`. */
  noteLarge(low: number, high: number, bytes: number): void {
    if (bytes === LARGE_BYTES) this.#large.add(largePage(low, high));
    else this.#huge.add(hugePage(low, high));
  }

  /** Continues in the address space `pcid`; what was cached of it before stays when `keep` says so. */
  switchTo(pcid: number, keep: boolean): void {
    this.#supervisor.flush(true);
    this.#supervisorAc.flush(true);
    this.#userAc.flush(false);
    let context = this.#contexts.find((candidate) => candidate.pcid === pcid);
    if (context === undefined) {
      context = this.#current;
      for (const candidate of this.#contexts)
        if (candidate.lastUse < context.lastUse) context = candidate;
      context.bank.flush(false);
      context.pcid = pcid;
      this.flushes++;
    } else if (!keep) {
      context.bank.flush(true);
      this.flushes++;
    }
    context.lastUse = ++this.#uses;
    this.#current = context;
  }

  /** Drops what is not global of the address space `pcid`. */
  flushContext(pcid: number): void {
    this.flushes++;
    for (const context of this.#contexts) if (context.pcid === pcid) context.bank.flush(true);
    if (this.#current.pcid !== pcid) return;
    this.#supervisor.flush(true);
    this.#supervisorAc.flush(true);
    this.#userAc.flush(false);
  }

  /** Drops translations of all address spaces: all of them, or those that are not global. */
  flush(keepGlobal: boolean): void {
    this.flushes++;
    for (const bank of this.#banks) bank.flush(keepGlobal);
    if (keepGlobal) return;
    this.#large.clear();
    this.#huge.clear();
  }

  /** What runs at RIPs may have changed. */
  forgetTargets(): void {
    for (const bank of this.#banks) bank.forgetTargets();
  }

  /** Drops the execute translations. */
  flushExecute(): void {
    for (const bank of this.#banks) bank.flushExecute(false);
  }

  /** Drops the translations of one page in every address space: all of it, also when a large page maps it. */
  flushPage(low: number, high: number): void {
    if (this.#huge.has(hugePage(low, high))) {
      this.flush(false);
      return;
    }
    this.flushes++;
    const isLarge = this.#large.delete(largePage(low, high));
    for (const bank of this.#banks) {
      bank.flushPage(low, high);
      if (isLarge) bank.flushLargePage(low, high);
    }
  }

  /** Takes write permission from every cached translation of the frame at linear `frame`. */
  protectFrame(frame: number): void {
    for (const bank of this.#banks) bank.protectFrame(frame);
  }
}

function hugePage(low: number, high: number): number {
  return (high >>> 0) * 4 + (low >>> 30);
}

function largePage(low: number, high: number): number {
  return (high >>> 0) * 2048 + (low >>> 21);
}
