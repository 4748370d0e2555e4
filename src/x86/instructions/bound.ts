import type { MemoryWidth } from '../../ir/mod.ts';
import { BR } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import { movedAddress } from './addressing.ts';

/** BOUND: #BR unless the signed index lies between the two bounds in memory. SDM Vol. 2A "BOUND". */
export const bound = define('bound', [form('62 /r', 'Gv Ma', 'no64')], (b, [index, bounds]) => {
  const width = index.width as MemoryWidth;
  const lower = b.load(bounds.address(), width, true);
  const upper = b.load(movedAddress(b, bounds, b.i64(width / 8)), width, true);
  const value = index.read();
  b.if(b.or(b.ltS(value, lower), b.ltS(upper, value)), () => b.fault(BR));
});

export const boundInstructions: readonly Instruction[] = [bound];
