import type { CaseBuilder } from './case-builder.ts';
import type { MemoryReference } from './encoder.ts';
import { WIRE } from './layout.ts';
import type { Template } from './templates.ts';

/** The registers of a gather, which must differ, and its memory operand, whose index is a vector. */
export interface GatherRegisters {
  readonly memory: MemoryReference;
  readonly destination: number;
  readonly mask: number;
}

/** Where addresses are cut, and what segment they are in. */
interface Place {
  readonly addressBits: 16 | 32 | 64;
  readonly segmentBase: bigint;
}

const RSP = 4;
const NAME = /^vp?gather([dq])/;

/** Gives the vector of indices, the base and the mask of a gather values that lead to data, mostly. */
export function placeGather(
  b: CaseBuilder,
  template: Template,
  { addressBits, segmentBase }: Place,
): GatherRegisters {
  const { random, state } = b;
  const vectors = [...Array(b.registers).keys()];
  const take = () => vectors.splice(random.below(vectors.length), 1)[0] as number;
  const [destination, mask] = [take(), take()];
  const clash = random.oneIn(60) ? random.pick([destination, mask]) : undefined;
  const index = clash ?? take();
  const { letters, instruction } = template;
  const bytes = letters.some(({ text }) => text === 'Mq') ? 8 : 4;
  const indexBytes = NAME.exec(instruction.name)?.[1] === 'd' ? 4 : 8;
  const safe = !random.oneIn(6);
  const how = { bytes, alignment: 1, locked: false, addressBits, segmentBase, safe };

  const scale = random.below(4);
  let base: number | undefined = random.below(b.registers);
  if (base === RSP || random.oneIn(10)) base = undefined;
  const displacement =
    base === undefined ? random.below(0x40_0000) : random.pick([0, -8, 127, random.u32() | 0]);
  const anchor = BigInt.asUintN(addressBits, b.target({ ...how, safe: true }) - segmentBase);
  if (base !== undefined && !b.give(base, BigInt.asUintN(64, anchor - BigInt(displacement)))) {
    base = undefined;
  }
  const start =
    base === undefined ? BigInt(displacement) : (b.known(base) ?? 0n) + BigInt(displacement);

  const { view } = state;
  for (let at = 0; at < 32; at += indexBytes) {
    const distance = b.target(how) - segmentBase - start;
    const value = distance >> BigInt(scale);
    const place = WIRE.ymm + 32 * index + at;
    if (indexBytes === 4) view.setInt32(place, Number(BigInt.asIntN(32, value)), true);
    else view.setBigInt64(place, BigInt.asIntN(64, value), true);
  }
  if (random.oneIn(3)) state.bytes.fill(0xff, WIRE.ymm + 32 * mask, WIRE.ymm + 32 * mask + 32);
  const memory = { base, index, scale, displacement, rip: false, short: false };
  return { memory, destination, mask };
}
