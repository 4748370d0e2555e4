/**
 * Ports for tests and firmware that no PC needs: debug exit (0xf4), debug console (0xe9, as in Bochs) and
 * the power-on self-test code (0x80).
 */
import type { Device, RegisterBank } from '../bus/mod.ts';
import { type Checked, type Persist, record, section, u8 } from '../state/mod.ts';
import { byteBank } from './byte-bank.ts';

/** Port 0xf4, one to four bytes: a guest write of N ends the machine with code (N << 1) | 1. */
export function debugExitBank(onExit: (code: number) => void): RegisterBank {
  return {
    read: () => 0,
    write: (_offset, _size, value) => onExit(((value << 1) | 1) >>> 0),
  };
}

/** Port 0xe9: bytes written are handed on; it reads as 0xe9, by which guests find it. */
export function debugConsoleBank(output: (byte: number) => void): RegisterBank {
  return byteBank(
    () => 0xe9,
    (_offset, value) => output(value),
  );
}

const checkState = record({ code: u8 });
export type PostCodeState = Checked<typeof checkState>;

/** Port 0x80: keeps the last code. Kernels also write it to wait a moment. */
export class PostCode implements Device {
  readonly name = 'post-code';
  readonly registers: RegisterBank;
  readonly persist: Persist<PostCodeState>;
  #code = 0;

  constructor() {
    this.registers = byteBank(
      () => this.#code,
      (_offset, value) => {
        this.#code = value;
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({ code: this.#code }),
      load: (state) => {
        this.#code = state.code;
      },
    });
  }

  reset(): void {
    this.#code = 0;
  }
}
