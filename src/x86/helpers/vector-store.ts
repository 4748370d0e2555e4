/** MASKMOVDQU and MASKMOVQ. SDM Vol. 2A "MASKMOVDQU". */
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

export const vectorStoreHelpers: Record<string, Helper> = {
  maskedStore: {
    params: ['i64', 'i32', 'i32'],
    run: (cpu, address, source, mask) => maskedStore(cpu, address, source, mask, 16),
  },
  maskedStoreMmx: { params: ['i64', 'i32', 'i32'], run: maskedStoreMmx },
};
