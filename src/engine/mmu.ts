import type { Bus } from '../bus/mod.ts';
import { type GuestMemory, PAGE_BYTES } from '../memory/mod.ts';
import { AC, type CpuState, EFLAGS, GP, GuestFault, PF, STATE, WATCHED } from '../x86/mod.ts';
import {
  ACCESS_EXECUTE,
  ACCESS_READ,
  ACCESS_WRITE,
  announcePages,
  createPagingContext,
  createWalkResult,
  type PageAccess,
  updatePagingContext,
  walk,
} from '../x86/paging/mod.ts';
import { CR0, CR4 } from '../x86/system/mod.ts';
import { Breakpoints } from './breakpoints.ts';
import { Tlb } from './tlb.ts';
import { MODE_64, PRIVILEGE } from './tlb-layout.ts';

/** Translation results that are not linear offsets. */
export const FAULTED = -1;
/** The page is not RAM: `mmu.gpa` tells where the access goes. */
export const NOT_RAM = -2;

/**
 * Memory as a vCPU sees it: linear addresses through the guest's tables to frames, MMIO, or a fault.
 * Slow paths of compiled code, and all accesses of helpers, end here. Addresses travel as two 32-bit
 * halves.
 */
export class Mmu {
  readonly memory: GuestMemory;
  readonly tlb: Tlb;
  readonly #state: CpuState;
  readonly #mmio: Bus;
  readonly #context = createPagingContext();
  readonly #result = createWalkResult();
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** linear offset of the vCPU's bounce buffer */
  readonly #bounce: number;
  /** told after a store changed bytes of a frame that holds translated code */
  onCodeWrite: (frame: number, pageOffset: number, bytes: number) => void = () => {};
  /** told after an MMIO access: interrupt lines may have changed */
  onDeviceAccess: () => void = () => {};

  /** guest-physical address of the last translation */
  gpa = 0;
  /** the page of the last translation is global */
  get isGlobal(): boolean {
    return this.#result.global;
  }
  misses = 0;
  mmioAccesses = 0;
  /** the last #GP recorded was for a data address that is not canonical */
  notCanonical = false;
  readonly breakpoints = new Breakpoints();
  /**
   * A data breakpoint that is met faults with WATCHED instead of being noted in STATE.pendingDebug: set while
   * more than one instruction runs at a time.
   */
  stopsAtWatched = false;
  /** code has 16 or 32 bits */
  #wraps = true;
  /** CR4.SMAP: the supervisor reaches user pages under EFLAGS.AC alone */
  #smap = false;

  constructor(memory: GuestMemory, state: CpuState, mmio: Bus) {
    this.memory = memory;
    this.#state = state;
    this.#mmio = mmio;
    this.#bytes = memory.pool.bytes;
    this.#view = memory.pool.view;
    this.#bounce = state.base + STATE.bounce;
    this.tlb = new Tlb(memory.pool);
  }

  /** Large pages are those that CPUID announces; all of them by default. */
  announcePages(has: (feature: string) => boolean): void {
    announcePages(this.#context, has);
  }

  /** Which TLB the present privilege uses. Compiled code changes privileges on its own. */
  get privilege(): number {
    if (this.#state.get32(STATE.cpl) === 3)
      return this.#state.get32(STATE.tlb) === this.tlb.bank(PRIVILEGE.userAc).base
        ? PRIVILEGE.userAc
        : PRIVILEGE.user;
    return this.#state.get32(STATE.tlb) === this.tlb.bank(PRIVILEGE.supervisorAc).base
      ? PRIVILEGE.supervisorAc
      : PRIVILEGE.supervisor;
  }

  #choosePrivilege(): number {
    const state = this.#state;
    const flag = (state.get32(STATE.eflags) & EFLAGS.AC) !== 0;
    if (state.get32(STATE.cpl) === 3)
      return flag && (state.get32(STATE.cr0) & CR0.AM) !== 0 ? PRIVILEGE.userAc : PRIVILEGE.user;
    return flag ? PRIVILEGE.supervisorAc : PRIVILEGE.supervisor;
  }

  /**
   * Recomputes what depends on control registers, CPL and EFLAGS.AC; `mode` stands for the way code is
   * decoded. Does not flush.
   */
  modeChanged(mode: number): void {
    const state = this.#state;
    updatePagingContext(this.#context, state, state.get32(STATE.pkru));
    if (this.breakpoints.update(state)) this.tlb.flush(false);
    this.#smap = (state.get32(STATE.cr4) & CR4.SMAP) !== 0;
    this.#wraps = mode !== MODE_64;
    const bank = this.tlb.bank(this.#choosePrivilege());
    bank.useMode(mode);
    state.set32(STATE.tlb, bank.base);
    this.#offerBanks();
  }

  /** Tells compiled code which banks it may switch to by itself: those whose code was decoded as 64-bit code. */
  #offerBanks(): void {
    for (let privilege = 0; privilege < PRIVILEGE.count; privilege++) {
      const bank = this.tlb.bank(privilege);
      this.#state.set32(STATE.tlbs + privilege * 4, bank.mode === MODE_64 ? bank.base : 0);
    }
  }

  /** Continues in the address space `pcid`, see Tlb.switchTo. CR3 is set. */
  switchAddressSpace(pcid: number, keep: boolean): void {
    updatePagingContext(this.#context, this.#state, this.#state.get32(STATE.pkru));
    this.tlb.switchTo(pcid, keep);
    this.#state.set32(STATE.tlb, this.tlb.bank(this.privilege).base);
    this.#offerBanks();
  }

  /**
   * Translates one address for `access`, sets accessed and dirty bits, and caches the result. Returns the
   * linear-memory offset of the byte, NOT_RAM, or FAULTED with the fault recorded in the state.
   */
  translate(low: number, high: number, access: PageAccess, privilege: number): number {
    this.misses++;
    const signBits = high >> (this.#context.levels < 5 ? 15 : 24);
    if (signBits !== 0 && signBits !== -1) {
      this.notCanonical = access !== ACCESS_EXECUTE;
      return this.#fault(GP, 0, low, high);
    }
    const result = this.#result;
    const user = privilege === PRIVILEGE.user || privilege === PRIVILEGE.userAc;
    this.#context.smap = this.#smap && privilege !== PRIVILEGE.supervisorAc;
    const code = walk(this.#context, this.memory, low, high, access, user, result);
    if (code >= 0) return this.#fault(PF, code, low, high);
    const gpa = result.gpa;
    this.gpa = gpa;
    const inPage = gpa % PAGE_BYTES;
    const gfn = (gpa - inPage) / PAGE_BYTES;
    const memory = this.memory;
    if (access === ACCESS_READ && !memory.isPresent(gfn)) {
      // Reads of absent pages are answered by the zero frame and not cached: a first write moves the page.
      const zero = memory.frameForRead(gfn);
      return zero < 0 ? NOT_RAM : zero + inPage;
    }
    let frame = memory.frameForWrite(gfn);
    const isReadOnly = frame < 0;
    // Read-only memory is written through the bus.
    if (isReadOnly && access !== ACCESS_WRITE) frame = memory.frameForRead(gfn);
    if (frame < 0) return NOT_RAM;
    if (result.pageBytes > PAGE_BYTES) this.tlb.noteLarge(low, high, result.pageBytes);
    if (access !== ACCESS_EXECUTE && this.#mayCache(low, high, privilege)) {
      const writable = result.writable && !isReadOnly && !memory.hasCode(frame);
      const bank = this.tlb.bank(privilege);
      bank.fill(low, high, frame, result.readable, writable, result.global);
    }
    return frame + inPage;
  }

  /** As `translate`, for code that is not fetched now; leaves the page tables as they are. */
  probeCode(low: number, high: number, privilege: number): number {
    this.#context.probes = true;
    const place = this.translate(low, high, ACCESS_EXECUTE, privilege);
    this.#context.probes = false;
    return place;
  }

  /** Pages that are watched, and those of code whose alignment is checked, take the slow path every time. */
  #mayCache(low: number, high: number, privilege: number): boolean {
    if (privilege === PRIVILEGE.userAc) return false;
    const { breakpoints } = this;
    return !breakpoints.hasData || !breakpoints.coversPage(wide(low & ~0xfff, high), false);
  }

  /** Upper half of the address behind the last one with `high`: addresses of 16- and 32-bit code wrap around. */
  #highBehind(high: number): number {
    return high === 0 && this.#wraps ? 0 : (high + 1) | 0;
  }

  /** What stands in the way of an access whose pages are there: false with a fault recorded. */
  #mayAccess(
    low: number,
    high: number,
    bytes: number,
    writes: boolean,
    privilege: number,
  ): boolean {
    if (privilege === PRIVILEGE.userAc && bytes <= 8 && (low & (bytes - 1)) !== 0) {
      this.#fault(AC, 0, low, high);
      return false;
    }
    if (!this.breakpoints.hasData) return true;
    const bits = this.breakpoints.data(wide(low, high), bytes, writes);
    if (bits === 0) return true;
    if (this.stopsAtWatched) {
      this.#fault(WATCHED, 0, low, high);
      return false;
    }
    this.#state.set32(STATE.pendingDebug, this.#state.get32(STATE.pendingDebug) | bits);
    return true;
  }

  #fault(vector: number, errorCode: number, low: number, high: number): number {
    const state = this.#state;
    state.set32(STATE.faultVector, vector);
    state.set32(STATE.faultErrorCode, errorCode);
    state.set32(STATE.faultAddress, low >>> 0);
    state.set32(STATE.faultAddress + 4, high >>> 0);
    return FAULTED;
  }

  /** The fault that the last translation recorded, as something to throw. */
  recordedFault(): GuestFault {
    const state = this.#state;
    const vector = state.get32(STATE.faultVector);
    return new GuestFault(
      vector,
      state.get32(STATE.faultErrorCode),
      vector === PF ? state.get64(STATE.faultAddress) : undefined,
    );
  }

  // --- slow paths of compiled code. Halves may be signed.

  /** Linear offset from which `bytes` can be read: the place itself or the bounce buffer; 0 on a fault. */
  loadSlow(low: number, high: number, bytes: number): number {
    return this.#gather(low, high, bytes, ACCESS_READ, this.privilege);
  }

  /** As `loadSlow`, checked for writing: a plain place may be written directly, the bounce buffer by `storeSlow`. */
  updateSlow(low: number, high: number, bytes: number): number {
    const place = this.#gather(low, high, bytes, ACCESS_WRITE, this.privilege);
    if (place === 0 || place === this.#bounce) return place;
    if (!this.memory.hasCode(place - (place % PAGE_BYTES))) return place;
    this.#bytes.copyWithin(this.#bounce, place, place + bytes);
    return this.#bounce;
  }

  #gather(low: number, high: number, bytes: number, access: PageAccess, privilege: number): number {
    const inPage = low & 0xfff;
    const first = this.translate(low, high, access, privilege);
    if (first === FAULTED) return 0;
    if (inPage + bytes <= PAGE_BYTES) {
      if (!this.#mayAccess(low, high, bytes, access === ACCESS_WRITE, privilege)) return 0;
      if (first >= 0) return first;
      this.#readDevice(this.gpa, this.#bounce, bytes);
      return this.#bounce;
    }
    const firstGpa = this.gpa;
    const head = PAGE_BYTES - inPage;
    const nextLow = ((low & ~0xfff) + PAGE_BYTES) | 0;
    const nextHigh = nextLow === 0 ? this.#highBehind(high) : high;
    const second = this.translate(nextLow, nextHigh, access, privilege);
    if (second === FAULTED) return 0;
    if (!this.#mayAccess(low, high, bytes, access === ACCESS_WRITE, privilege)) return 0;
    if (first >= 0) this.#bytes.copyWithin(this.#bounce, first, first + head);
    else this.#readDevice(firstGpa, this.#bounce, head);
    if (second >= 0) this.#bytes.copyWithin(this.#bounce + head, second, second + bytes - head);
    else this.#readDevice(this.gpa, this.#bounce + head, bytes - head);
    return this.#bounce;
  }

  /** Stores `bytes` of the bounce buffer at the address, or nothing. Not 0 on a fault. */
  storeSlow(low: number, high: number, bytes: number): number {
    return this.#scatter(low, high, this.#bounce, bytes, this.privilege) ? 0 : 1;
  }

  #scatter(low: number, high: number, source: number, bytes: number, privilege: number): boolean {
    const inPage = low & 0xfff;
    const first = this.translate(low, high, ACCESS_WRITE, privilege);
    if (first === FAULTED) return false;
    const firstGpa = this.gpa;
    if (inPage + bytes <= PAGE_BYTES) {
      if (!this.#mayAccess(low, high, bytes, true, privilege)) return false;
      this.#put(first, firstGpa, source, bytes);
      return true;
    }
    const head = PAGE_BYTES - inPage;
    const nextLow = ((low & ~0xfff) + PAGE_BYTES) | 0;
    const nextHigh = nextLow === 0 ? this.#highBehind(high) : high;
    const second = this.translate(nextLow, nextHigh, ACCESS_WRITE, privilege);
    if (second === FAULTED) return false;
    if (!this.#mayAccess(low, high, bytes, true, privilege)) return false;
    const secondGpa = this.gpa;
    this.#put(first, firstGpa, source, head);
    this.#put(second, secondGpa, source + head, bytes - head);
    return true;
  }

  #put(place: number, gpa: number, source: number, bytes: number): void {
    if (place < 0) {
      this.#writeDevice(gpa, source, bytes);
      return;
    }
    this.#bytes.copyWithin(place, source, source + bytes);
    const inPage = place % PAGE_BYTES;
    const frame = place - inPage;
    if (this.memory.hasCode(frame)) this.onCodeWrite(frame, inPage, bytes);
  }

  #readDevice(gpa: number, target: number, bytes: number): void {
    this.mmioAccesses++;
    for (let done = 0; done < bytes; ) {
      const size = pieceSize(gpa + done, bytes - done);
      const value = this.#mmio.read(gpa + done, size);
      for (let byte = 0; byte < size; byte++)
        this.#bytes[target + done + byte] = value >>> (8 * byte);
      done += size;
    }
    this.onDeviceAccess();
  }

  #writeDevice(gpa: number, source: number, bytes: number): void {
    this.mmioAccesses++;
    for (let done = 0; done < bytes; ) {
      const size = pieceSize(gpa + done, bytes - done);
      let value = 0;
      for (let byte = 0; byte < size; byte++)
        value |= (this.#bytes[source + done + byte] as number) << (8 * byte);
      this.#mmio.write(gpa + done, size, value >>> 0);
      done += size;
    }
    this.onDeviceAccess();
  }

  // --- accesses of helpers; throw GuestFault

  readLinear(address: bigint, bytes: number, privilege: number): bigint {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const within = (low & 0xfff) + bytes <= PAGE_BYTES;
    const cached = within ? this.tlb.bank(privilege).lookup(low, high, false) : -1;
    const place = cached > 0 ? cached : this.#gather(low, high, bytes, ACCESS_READ, privilege);
    if (place === 0) throw this.recordedFault();
    switch (bytes) {
      case 1:
        return BigInt(this.#bytes[place] as number);
      case 2:
        return BigInt(this.#view.getUint16(place, true));
      case 4:
        return BigInt(this.#view.getUint32(place, true));
      default:
        return this.#view.getBigUint64(place, true);
    }
  }

  writeLinear(address: bigint, bytes: number, value: bigint, privilege: number): void {
    this.#view.setBigUint64(this.#bounce, BigInt.asUintN(64, value), true);
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const within = (low & 0xfff) + bytes <= PAGE_BYTES;
    const cached = within ? this.tlb.bank(privilege).lookup(low, high, true) : -1;
    if (cached > 0) this.#bytes.copyWithin(cached, this.#bounce, this.#bounce + bytes);
    else if (!this.#scatter(low, high, this.#bounce, bytes, privilege)) throw this.recordedFault();
  }

  readBytes(address: bigint, target: Uint8Array, privilege: number): void {
    this.#watch(address, target.length, false);
    let done = 0;
    while (done < target.length) {
      const at = address + BigInt(done);
      const place = this.#translateFor(at, ACCESS_READ, privilege);
      const count = Math.min(target.length - done, PAGE_BYTES - Number(at & 0xfffn));
      if (place >= 0) target.set(this.#bytes.subarray(place, place + count), done);
      else for (let i = 0; i < count; i++) target[done + i] = this.#mmio.read(this.gpa + i, 1);
      done += count;
    }
  }

  writeBytes(address: bigint, source: Uint8Array, privilege: number): void {
    // First see that every page can be written, then write.
    for (let page = 0; page < source.length; ) {
      const at = address + BigInt(page);
      this.#translateFor(at, ACCESS_WRITE, privilege);
      page += PAGE_BYTES - Number(at & 0xfffn);
    }
    this.#watch(address, source.length, true);
    let done = 0;
    while (done < source.length) {
      const at = address + BigInt(done);
      const place = this.#translateFor(at, ACCESS_WRITE, privilege);
      const count = Math.min(source.length - done, PAGE_BYTES - Number(at & 0xfffn));
      if (place >= 0) {
        this.#bytes.set(source.subarray(done, done + count), place);
        const inPage = place % PAGE_BYTES;
        if (this.memory.hasCode(place - inPage)) this.onCodeWrite(place - inPage, inPage, count);
      } else
        for (let i = 0; i < count; i++)
          this.#mmio.write(this.gpa + i, 1, source[done + i] as number);
      done += count;
    }
  }

  /** Looks for data breakpoints in an area that a helper moves as a whole. */
  #watch(address: bigint, bytes: number, writes: boolean): void {
    if (!this.breakpoints.hasData) return;
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    if (!this.#mayAccess(low, high, bytes, writes, PRIVILEGE.supervisor))
      throw this.recordedFault();
  }

  /** Plain RAM behind an address, or undefined; throws GuestFault. */
  translatePlain(
    address: bigint,
    access: 'read' | 'write',
  ): { offset: number; bytes: number } | undefined {
    const place = this.#translateFor(
      address,
      access === 'read' ? ACCESS_READ : ACCESS_WRITE,
      this.privilege,
    );
    const page = BigInt.asUintN(64, address) & ~0xfffn;
    const special =
      this.privilege === PRIVILEGE.userAc ||
      (this.breakpoints.hasData && this.breakpoints.coversPage(page, false));
    if (place < 0 || special) return undefined;
    const inPage = place % PAGE_BYTES;
    if (access === 'write' && this.memory.hasCode(place - inPage))
      this.onCodeWrite(place - inPage, 0, PAGE_BYTES);
    return { offset: place, bytes: PAGE_BYTES - inPage };
  }

  #translateFor(address: bigint, access: PageAccess, privilege: number): number {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    const cached = this.tlb.bank(privilege).lookup(low, high, access === ACCESS_WRITE);
    if (cached >= 0) return cached;
    const place = this.translate(low, high, access, privilege);
    if (place === FAULTED) throw this.recordedFault();
    return place;
  }
}

/** The unsigned 64-bit address of two halves. */
function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Largest naturally aligned piece a bus takes at `address`. */
function pieceSize(address: number, left: number): 1 | 2 | 4 {
  if (left >= 4 && address % 4 === 0) return 4;
  if (left >= 2 && address % 2 === 0) return 2;
  return 1;
}
