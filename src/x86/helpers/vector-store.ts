/** Masked stores and loads: MASKMOVDQU, MASKMOVQ, VMASKMOVPS and kin. SDM Vol. 2A, 2C. */
import type { Cpu, Helper } from '../cpu.ts';
import { STATE } from '../state.ts';

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Stores runs of chosen bytes; every page is asked for write permission before the first byte changes. */
function maskedStore(cpu: Cpu, address: bigint, source: number, mask: number, bytes: number): void {
  const { u8 } = cpu.state;
  const runs: { at: bigint; from: number; length: number }[] = [];
  for (let i = 0; i < bytes; i++) {
    if (((u8[mask + i] as number) & 0x80) === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.from + last.length === source + i) last.length++;
    else runs.push({ at: u64(address + BigInt(i)), from: source + i, length: 1 });
  }
  for (const run of runs) {
    cpu.translate(run.at, 'write');
    cpu.translate(u64(run.at + BigInt(run.length - 1)), 'write');
  }
  for (const run of runs) cpu.writeBytes(run.at, u8.slice(run.from, run.from + run.length));
}

function maskedStoreMmx(cpu: Cpu, address: bigint, source: number, mask: number): void {
  maskedStore(cpu, address, source, mask, 8);
  cpu.state.set32(STATE.fpuTop, 0);
  cpu.state.set32(STATE.fpuValid, 0xff);
}

/** VMASKMOVPS and kin, store: whole lanes of data at +0, chosen by full lane masks at +32. */
function maskedStoreLanes(cpu: Cpu, address: bigint, bytes: number): void {
  maskedStore(cpu, address, STATE.vectorScratch, STATE.vectorScratch + 32, bytes);
}

/** VMASKMOVPS and kin, load: lanes whose mask (at +32) has its sign bit set; others are zero. */
function maskedLoadLanes(cpu: Cpu, address: bigint, width: number, bytes: number): void {
  const { u8 } = cpu.state;
  const result = new Uint8Array(32);
  const size = width / 8;
  for (let at = 0; at < bytes; at += size) {
    const sign = u8[STATE.vectorScratch + 32 + at + size - 1] as number;
    if ((sign & 0x80) === 0) continue;
    cpu.readBytes(u64(address + BigInt(at)), result.subarray(at, at + size));
  }
  u8.set(result, STATE.vectorScratch);
}

export const vectorStoreHelpers: Record<string, Helper> = {
  maskedStore: {
    params: ['i64', 'i32', 'i32'],
    run: (cpu, address, source, mask) => maskedStore(cpu, address, source, mask, 16),
  },
  maskedStoreLanes: { params: ['i64', 'i32'], run: maskedStoreLanes },
  maskedLoadLanes: { params: ['i64', 'i32', 'i32'], run: maskedLoadLanes },
  maskedStoreMmx: { params: ['i64', 'i32', 'i32'], run: maskedStoreMmx },
};
