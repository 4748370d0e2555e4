/**
 * Repeated string instructions, in pieces that stay in one page of source and destination. What has no
 * direct mapping (MMIO, elements across pages) goes element by element. SDM Vol. 2B "REP".
 */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { gprOffset, RAX, STATE } from '../state.ts';
import { StringRun } from './string-run.ts';

const SOURCE = { source: true, destination: false } as const;
const DESTINATION = { source: false, destination: true } as const;
const BOTH = { source: true, destination: true } as const;

/** Copies `length` bytes as an ascending loop over elements of `bytes` would, overlapping or not. */
function copyUp(memory: Uint8Array, to: number, from: number, length: number, bytes: number): void {
  const distance = to - from;
  if (distance <= 0 || distance >= length) {
    memory.copyWithin(to, from, from + length);
  } else if (distance < bytes) {
    for (let i = 0; i < length; i += bytes) memory.copyWithin(to + i, from + i, from + i + bytes);
  } else {
    // The first `distance` bytes repeat: each round doubles what has been laid down.
    let done = 0;
    while (done < length) {
      const part = Math.min(distance + done, length - done);
      memory.copyWithin(to + done, from, from + part);
      done += part;
    }
  }
}

/** Copies as a descending loop would; `to` and `from` are the lowest addresses. */
function copyDown(
  memory: Uint8Array,
  to: number,
  from: number,
  length: number,
  bytes: number,
): void {
  if (to >= from || to + length <= from) {
    memory.copyWithin(to, from, from + length);
    return;
  }
  for (let i = length - bytes; i >= 0; i -= bytes) {
    memory.copyWithin(to + i, from + i, from + i + bytes);
  }
}

function repMovs(cpu: Cpu, bits: number, segmentOffset: number): void {
  const run = new StringRun(cpu, bits, segmentOffset, true);
  const { bytes } = run;
  run.drive(BOTH, (limit) => {
    const count = Math.min(limit, run.sourceRoom, run.destinationRoom);
    if (count > 0 && cpu.translate(run.source, 'read') !== undefined) {
      const to = cpu.translate(run.destination, 'write');
      // Only now: preparing the destination for writing may have moved a page both share.
      const from = cpu.translate(run.source, 'read');
      if (to !== undefined && from !== undefined) {
        const copy = run.down ? copyDown : copyUp;
        const lowTo = run.lowest(to.offset, count);
        copy(cpu.linear, lowTo, run.lowest(from.offset, count), count * bytes, bytes);
        return count;
      }
    }
    cpu.writeLinear(run.destination, bytes, cpu.readLinear(run.source, bytes));
    return 1;
  });
}

/** Fills `count` elements from `at` on with the first `bytes` bytes at `pattern`. */
function fillElements(memory: Uint8Array, at: number, count: number, pattern: Uint8Array): void {
  const first = pattern[0] as number;
  const length = count * pattern.length;
  if (pattern.every((byte) => byte === first)) {
    memory.fill(first, at, at + length);
    return;
  }
  memory.set(pattern, at);
  for (let done = pattern.length; done < length; done *= 2) {
    memory.copyWithin(at + done, at, at + Math.min(done, length - done));
  }
}

function repStos(cpu: Cpu, bits: number, segmentOffset: number): void {
  const run = new StringRun(cpu, bits, segmentOffset, true);
  const pattern = accumulator(cpu.state, run.bytes);
  run.drive(DESTINATION, (limit) => {
    const count = Math.min(limit, run.destinationRoom);
    if (count > 0) {
      const to = cpu.translate(run.destination, 'write');
      if (to !== undefined) {
        fillElements(cpu.linear, run.lowest(to.offset, count), count, pattern);
        return count;
      }
    }
    cpu.writeLinear(run.destination, run.bytes, fromBytes(pattern, 0, run.bytes));
    return 1;
  });
}

function repLods(cpu: Cpu, bits: number, segmentOffset: number): void {
  const run = new StringRun(cpu, bits, segmentOffset);
  run.drive(SOURCE, () => {
    const value = cpu.readLinear(run.source, run.bytes);
    if (run.bytes === 4) cpu.state.setGpr32(RAX, Number(value));
    else toBytes(value, cpu.state.u8, gprOffset(RAX), run.bytes);
    return 1;
  });
}

function repScas(cpu: Cpu, bits: number, segmentOffset: number): void {
  const run = new StringRun(cpu, bits, segmentOffset);
  const { bytes } = run;
  const left = accumulator(cpu.state, bytes);
  const wanted = fromBytes(left, 0, bytes);
  run.drive(DESTINATION, (limit) => {
    const count = Math.min(limit, run.destinationRoom);
    const at = count > 0 ? cpu.translate(run.destination, 'read') : undefined;
    if (at === undefined) {
      const right = cpu.readLinear(run.destination, bytes);
      compareFlags(cpu.state, wanted, right, bytes);
      return (wanted === right) === run.repne ? -1 : 1;
    }
    const memory = cpu.linear;
    const step = run.down ? -bytes : bytes;
    let last = count - 1;
    let ended = false;
    for (let i = 0; i < count; i++) {
      if (equalBytes(left, 0, memory, at.offset + i * step, bytes) === run.repne) {
        last = i;
        ended = true;
        break;
      }
    }
    compareFlags(cpu.state, wanted, fromBytes(memory, at.offset + last * step, bytes), bytes);
    return ended ? -(last + 1) : count;
  });
}

function repCmps(cpu: Cpu, bits: number, segmentOffset: number): void {
  const run = new StringRun(cpu, bits, segmentOffset);
  const { bytes } = run;
  run.drive(BOTH, (limit) => {
    const count = Math.min(limit, run.sourceRoom, run.destinationRoom);
    const left = count > 0 ? cpu.translate(run.source, 'read') : undefined;
    const right = left === undefined ? undefined : cpu.translate(run.destination, 'read');
    if (left === undefined || right === undefined) {
      const first = cpu.readLinear(run.source, bytes);
      const second = cpu.readLinear(run.destination, bytes);
      compareFlags(cpu.state, first, second, bytes);
      return (first === second) === run.repne ? -1 : 1;
    }
    const memory = cpu.linear;
    const step = run.down ? -bytes : bytes;
    let last = count - 1;
    let ended = false;
    for (let i = 0; i < count; i++) {
      const delta = i * step;
      if (
        equalBytes(memory, left.offset + delta, memory, right.offset + delta, bytes) === run.repne
      ) {
        last = i;
        ended = true;
        break;
      }
    }
    const first = fromBytes(memory, left.offset + last * step, bytes);
    const second = fromBytes(memory, right.offset + last * step, bytes);
    compareFlags(cpu.state, first, second, bytes);
    return ended ? -(last + 1) : count;
  });
}

/** All six flags of left − right, both unsigned of `bytes` bytes, in the form of state.ts. */
function compareFlags(state: CpuState, left: bigint, right: bigint, bytes: number): void {
  const width = 8 * bytes;
  const x = BigInt.asIntN(width, left);
  const y = BigInt.asIntN(width, right);
  const difference = BigInt.asIntN(width, x - y);
  state.set64(STATE.flagZ, BigInt.asUintN(64, difference));
  state.set64(STATE.flagS, BigInt.asUintN(64, difference));
  state.set64(STATE.flagO, BigInt.asUintN(64, (x ^ y) & (x ^ difference)));
  state.set64(STATE.flagA, BigInt.asUintN(64, x ^ y ^ difference));
  state.set32(STATE.flagC, left < right ? 1 : 0);
}

/** The low bytes of rAX. */
function accumulator(state: CpuState, bytes: number): Uint8Array {
  return state.u8.slice(gprOffset(RAX), gprOffset(RAX) + bytes);
}

function equalBytes(a: Uint8Array, at: number, b: Uint8Array, bAt: number, bytes: number): boolean {
  for (let i = 0; i < bytes; i++) if (a[at + i] !== b[bAt + i]) return false;
  return true;
}

function fromBytes(memory: Uint8Array, at: number, bytes: number): bigint {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(memory[at + i] as number);
  return value;
}

function toBytes(value: bigint, memory: Uint8Array, at: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) memory[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

export const stringHelpers: Record<string, Helper> = {
  repMovs: { params: ['i32', 'i32'], run: repMovs },
  repStos: { params: ['i32', 'i32'], run: repStos },
  repLods: { params: ['i32', 'i32'], run: repLods },
  repScas: { params: ['i32', 'i32'], run: repScas },
  repCmps: { params: ['i32', 'i32'], run: repCmps },
};
