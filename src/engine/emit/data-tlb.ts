/** How compiled code uses the data entries of the TLB: see tlb-layout.ts. */
import type { FunctionWriter } from '../../wasm/mod.ts';
import { TLB } from '../tlb-layout.ts';

/** Puts the place of its entry, in the TLB whose base `tlb` pushes, where the i64 address on the stack is. */
export function toDataEntry(f: FunctionWriter, tlb: () => void): void {
  f.wrap().i32Const(7).op(0x76); // >>> (12 - log2 32)
  f.i32Const((TLB.entries - 1) * TLB.entryBytes).i32And();
  tlb();
  f.i32Add();
}

/** Pushes the place of what lies at the local `address`, whose page has the entry in the local `entry`. */
export function pushPlace(f: FunctionWriter, address: number, entry: number): void {
  f.get(address).wrap().get(entry).i32Load(TLB.addend).i32Add();
}
