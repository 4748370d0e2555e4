import { assert } from '../../../src/util/mod.ts';
import type { CpuState } from '../../../src/x86/mod.ts';
import { STATE } from '../../../src/x86/state.ts';
import { Random } from '../../oracle/random.ts';
import { CODE, DATA, FAULTS_LEFT, PAGE, RAM_BYTES } from './layout.ts';
import { worlds } from './worlds.ts';

/** 64-bit code of a kernel, with registers of zero and a stack. */
export interface KernelCode {
  readonly image: Uint8Array;
  readonly enter: (state: CpuState) => void;
}

/** Bytes at physical addresses, in hexadecimal; execution begins at `start`. */
export function kernelCode(
  code: readonly (readonly [at: number, hex: string])[],
  start = CODE,
): KernelCode {
  const world = worlds.find(({ name }) => name === '64-bit kernel code');
  assert(world !== undefined, 'there is a world of that name');
  const image = new Uint8Array(RAM_BYTES);
  world.write(image, new Random(1, 1));
  image[FAULTS_LEFT] = 1;
  for (const [at, hex] of code) image.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), at);
  const enter = (state: CpuState): void => {
    world.enter(state, new Random(1, 1));
    state.setFlags(2);
    for (let register = 0; register < 16; register++) state.setGpr(register, 0n);
    state.setGpr(4, BigInt(DATA + PAGE));
    state.set64(STATE.rip, BigInt(start));
  };
  return { image, enter };
}
