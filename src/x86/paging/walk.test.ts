import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  announcePages,
  createPagingContext,
  createWalkResult,
  type PageAccess,
  walk,
} from './mod.ts';

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const NX = 1n << 63n;

/** Page tables in a sparse memory, and a context to walk them with. */
class Tables {
  readonly words = new Map<number, number>();
  readonly context = createPagingContext();
  readonly result = createWalkResult();
  /** runs once before the next compare-exchange, as another processor would */
  interfere: (() => void) | undefined;

  constructor(levels: 0 | 2 | 3 | 4 | 5) {
    this.context.levels = levels;
    this.context.root = 0x1000;
    this.context.noExecute = levels >= 3;
    this.context.writeProtect = true;
    this.context.globalPages = true;
    this.context.reservedHigh = levels === 3 ? 0x7fff_0000 : 0x000f_0000;
  }
  read32(gpa: number): number {
    return this.words.get(gpa) ?? 0;
  }
  compareExchange32(gpa: number, expected: number, replacement: number): boolean {
    const interfere = this.interfere;
    this.interfere = undefined;
    interfere?.();
    if (this.read32(gpa) !== expected) return false;
    this.words.set(gpa, replacement);
    return true;
  }
  put(gpa: number, entry: bigint | number): void {
    const value = BigInt(entry);
    this.words.set(gpa, Number(BigInt.asIntN(32, value)));
    this.words.set(gpa + 4, Number(BigInt.asIntN(32, value >> 32n)));
  }
  walk(address: bigint, access: PageAccess, user: boolean): number {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    return walk(this.context, this, low, high, access, user, this.result);
  }
}

/** 4-level tables that map `address` with `leaf` in the last entry. */
function fourLevels(address: bigint, leaf: bigint | number, upper = P | W | U): Tables {
  const tables = new Tables(4);
  const index = (shift: bigint): number => Number((address >> shift) & 0x1ffn) * 8;
  tables.put(0x1000 + index(39n), 0x2000 | upper);
  tables.put(0x2000 + index(30n), 0x3000 | upper);
  tables.put(0x3000 + index(21n), 0x4000 | upper);
  tables.put(0x4000 + index(12n), leaf);
  return tables;
}

const ADDRESS = 0xffff_8123_4567_89abn;

test('walk: four levels reach the page and keep the offset', () => {
  const tables = fourLevels(ADDRESS, 0x12_3456_7000n | BigInt(P | W | U));
  assert.equal(tables.walk(ADDRESS, 0, false), -1);
  assert.equal(tables.result.gpa, 0x12_3456_79ab);
  assert.equal(tables.result.pageBytes, 0x1000);
  assert.equal(tables.result.executable, true);
});

test('walk: five levels use bits 56 to 48 first', () => {
  const address = 0x00ab_8123_4567_89abn;
  const tables = new Tables(5);
  tables.put(0x1000 + 0xab * 8, 0x9000 | P | W | U);
  tables.put(0x9000 + Number((address >> 39n) & 0x1ffn) * 8, 0x2000 | P | W | U);
  tables.put(0x2000 + Number((address >> 30n) & 0x1ffn) * 8, 0x8000_0000n | BigInt(P | U | PS));
  assert.equal(tables.walk(address, 0, true), -1);
  assert.equal(tables.result.gpa, 0x8000_0000 + (0x4567_89ab & 0x3fff_ffff));
  assert.equal(tables.result.pageBytes, 2 ** 30);
});

test('walk: a 2 MiB page takes its offset from 21 bits', () => {
  const tables = fourLevels(ADDRESS, 0);
  tables.put(0x3000 + Number((ADDRESS >> 21n) & 0x1ffn) * 8, 0x0060_0000 | P | W | PS | G);
  assert.equal(tables.walk(ADDRESS, 1, false), -1);
  assert.equal(tables.result.gpa, 0x0060_0000 + Number(ADDRESS & 0x1f_ffffn));
  assert.equal(tables.result.pageBytes, 2 ** 21);
  assert.equal(tables.result.global, true);
  assert.equal(tables.result.user, false);
});

test('walk: an absent entry is a fault without the protection bit', () => {
  const tables = fourLevels(ADDRESS, 0);
  assert.equal(tables.walk(ADDRESS, 0, false), 0);
  assert.equal(tables.walk(ADDRESS, 1, true), 2 | 4);
  assert.equal(tables.walk(ADDRESS, 2, true), 16 | 4);
});

test('walk: a write needs W on every level in user mode', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | W | U, P | U);
  assert.equal(tables.walk(ADDRESS, 1, true), 1 | 2 | 4);
  assert.equal(tables.walk(ADDRESS, 0, true), -1);
  assert.equal(tables.result.writable, false);
});

test('walk: the supervisor writes to read-only pages only while CR0.WP is clear', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | U);
  assert.equal(tables.walk(ADDRESS, 1, false), 1 | 2);
  tables.context.writeProtect = false;
  assert.equal(tables.walk(ADDRESS, 1, false), -1);
});

test('walk: user mode needs U on every level', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | W | U, P | W);
  assert.equal(tables.walk(ADDRESS, 0, true), 1 | 4);
  assert.equal(tables.walk(ADDRESS, 0, false), -1);
});

test('walk: NX stops fetches and is reserved while EFER.NXE is clear', () => {
  const tables = fourLevels(ADDRESS, BigInt(0x5000 | P) | NX);
  assert.equal(tables.walk(ADDRESS, 2, false), 1 | 16);
  assert.equal(tables.walk(ADDRESS, 0, false), -1);
  assert.equal(tables.result.executable, false);
  tables.context.noExecute = false;
  tables.context.reservedHigh |= 0x8000_0000;
  assert.equal(tables.walk(ADDRESS, 0, false), 1 | 8);
});

test('walk: SMEP and SMAP keep the supervisor from user pages', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | W | U);
  tables.context.smep = true;
  assert.equal(tables.walk(ADDRESS, 2, false), 1 | 16);
  assert.equal(tables.walk(ADDRESS, 0, false), -1);
  tables.context.smap = true;
  assert.equal(tables.walk(ADDRESS, 0, false), 1);
  assert.equal(tables.walk(ADDRESS, 0, true), -1);
});

test('walk: protection keys disable data access and writes', () => {
  const key = 5n << 59n;
  const tables = fourLevels(ADDRESS, BigInt(0x5000 | P | W | U) | key);
  tables.context.pkru = 2 << 10; // write disable for key 5
  assert.equal(tables.walk(ADDRESS, 0, true), -1);
  assert.equal(tables.result.writable, false);
  assert.equal(tables.walk(ADDRESS, 1, true), 1 | 2 | 4 | 32);
  tables.context.pkru = 1 << 10;
  assert.equal(tables.walk(ADDRESS, 0, true), 1 | 4 | 32);
  assert.equal(tables.walk(ADDRESS, 2, true), -1);
});

test('walk: reserved bits fault: address bits, PS at level 4, low bits of large pages', () => {
  assert.equal(fourLevels(ADDRESS, (1n << 50n) | 1n).walk(ADDRESS, 0, false), 1 | 8);
  assert.equal(fourLevels(ADDRESS, P, P | PS).walk(ADDRESS, 0, false), 1 | 8);
  const tables = fourLevels(ADDRESS, 0);
  tables.put(0x3000 + Number((ADDRESS >> 21n) & 0x1ffn) * 8, 0x0060_2000 | P | PS);
  assert.equal(tables.walk(ADDRESS, 1, true), 1 | 2 | 4 | 8);
});

test('walk: reads set A on all levels, writes D on the leaf alone', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | W);
  const leaf = 0x4000 + Number((ADDRESS >> 12n) & 0x1ffn) * 8;
  const top = 0x1000 + Number((ADDRESS >> 39n) & 0x1ffn) * 8;
  tables.walk(ADDRESS, 0, false);
  assert.equal(tables.read32(leaf), 0x5000 | P | W | A);
  assert.equal(tables.result.writable, false);
  tables.walk(ADDRESS, 1, false);
  assert.equal(tables.read32(leaf), 0x5000 | P | W | A | D);
  assert.equal(tables.read32(top), 0x2000 | P | W | U | A);
  assert.equal(tables.result.writable, true);
});

test('walk: an access that faults leaves the leaf untouched', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P);
  const leaf = 0x4000 + Number((ADDRESS >> 12n) & 0x1ffn) * 8;
  tables.walk(ADDRESS, 1, false);
  assert.equal(tables.read32(leaf), 0x5000 | P);
});

test('walk: an entry that changes underway is walked again', () => {
  const tables = fourLevels(ADDRESS, 0x5000 | P | W);
  const leaf = 0x4000 + Number((ADDRESS >> 12n) & 0x1ffn) * 8;
  tables.walk(ADDRESS, 0, false);
  tables.interfere = () => tables.put(leaf, 0x6000 | P | W);
  assert.equal(tables.walk(ADDRESS, 1, false), -1);
  assert.equal(tables.result.gpa, 0x69ab);
});

test('walk: PAE has four pointers, then two levels', () => {
  const tables = new Tables(3);
  tables.context.pointers[2 * 2] = 0x2000 | P;
  tables.put(0x2000 + 3 * 8, 0x3000 | P | W | U);
  tables.put(0x3000 + 4 * 8, (1n << 33n) | BigInt(0x7000 | P | W | U));
  assert.equal(tables.walk(0x8060_4123n, 1, true), -1);
  assert.equal(tables.result.gpa, 2 ** 33 + 0x7123);
  assert.equal(tables.walk(0xc060_4123n, 0, true), 4);
});

test('walk: 32-bit paging has two levels of 4-byte entries', () => {
  const tables = new Tables(2);
  tables.words.set(0x1000 + 0x301 * 4, 0x2000 | P | W | U);
  tables.words.set(0x2000 + 0x234 * 4, 0x9000 | P | U);
  assert.equal(tables.walk(0xc063_4567n, 0, true), -1);
  assert.equal(tables.result.gpa, 0x9567);
  assert.equal(tables.walk(0xc063_4567n, 1, true), 1 | 2 | 4);
});

test('walk: 4 MiB pages reach 40 bits with PSE-36, and need CR4.PSE', () => {
  const tables = new Tables(2);
  tables.context.largePages = true;
  tables.words.set(0x1000 + 0x301 * 4, 0x0080_0000 | (3 << 13) | P | W | PS);
  assert.equal(tables.walk(0xc063_4567n, 1, false), -1);
  assert.equal(tables.result.gpa, 3 * 2 ** 32 + 0x0080_0000 + 0x23_4567);
  tables.words.set(0x1000 + 0x301 * 4, 0x0020_0000 | P | PS);
  assert.equal(tables.walk(0xc063_4567n, 0, false), 1 | 8);
});

test('walk: without paging addresses are physical', () => {
  const tables = new Tables(0);
  assert.equal(tables.walk(0xfee0_0123n, 1, true), -1);
  assert.equal(tables.result.gpa, 0xfee0_0123);
  assert.equal(tables.result.writable, true);
});

test('walk: large pages that are not announced are reserved', () => {
  const narrow = new Tables(2);
  narrow.context.largePages = true;
  narrow.words.set(0x1000, 0x0000_2000 | P | W | PS); // bit 32 of the address
  assert.equal(narrow.walk(0x1234n, 0, false), -1);
  announcePages(narrow.context, () => false);
  assert.equal(narrow.walk(0x1234n, 0, false), 9);
  const huge = new Tables(4);
  huge.put(0x1000, 0x2000 | P | W);
  huge.put(0x2000, P | W | PS);
  assert.equal(huge.walk(0x1234n, 0, false), -1);
  announcePages(huge.context, () => false);
  assert.equal(huge.walk(0x1234n, 0, false), 9);
});
