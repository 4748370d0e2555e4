/** Parts of general registers that are locals. */
import type { Access } from '../../ir/mod.ts';
import type { FunctionWriter } from '../../wasm/mod.ts';

/** Narrows the register on the stack to what `access` at byte `at` reads. */
export function narrowRead(f: FunctionWriter, at: number, access: Access): void {
  if (at !== 0) f.i64Const(BigInt(8 * at)).op(0x88);
  switch (access) {
    case 'i64':
      return;
    case 'i64.8s':
      f.op(0xc2);
      return;
    case 'i64.8u':
      f.i64Const(0xffn).op(0x83);
      return;
    case 'i64.16s':
      f.op(0xc3);
      return;
    case 'i64.16u':
      f.i64Const(0xffffn).op(0x83);
      return;
    case 'i64.32s':
      f.op(0xc4);
      return;
    case 'i64.32u':
      f.i64Const(0xffff_ffffn).op(0x83);
      return;
    case 'i32':
      f.wrap();
      return;
    case 'i32.8u':
      f.wrap().i32Const(0xff).i32And();
      return;
    default:
      throw new Error(`Vivarium internal error: register access ${access}`);
  }
}

/** Writes what `value` pushes into byte `at` of a register's local, and leaves the rest. */
export function narrowWrite(
  f: FunctionWriter,
  local: number,
  at: number,
  access: Access,
  value: () => void,
): void {
  if (access === 'i64') {
    value();
    f.set(local);
    return;
  }
  const width = access.startsWith('i64.8') ? 8n : access.startsWith('i64.16') ? 16n : 32n;
  const mask = ((1n << width) - 1n) << BigInt(8 * at);
  f.get(local).i64Const(BigInt.asIntN(64, ~mask)).op(0x83);
  value();
  if (access === 'i32') f.op(0xad);
  f.i64Const((1n << width) - 1n).op(0x83);
  if (at !== 0) f.i64Const(BigInt(8 * at)).op(0x86);
  f.op(0x84).set(local);
}
