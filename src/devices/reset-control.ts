/**
 * The two ports through which a PC resets itself.
 * Port 0xcf9, Reset Control Register: Intel ICH9 data sheet, section 13.7.5 (also the ACPI reset register).
 * Port 0x92, System Control Port A: IBM PS/2 technical reference; bit 0 fast reset, bit 1 A20.
 *
 * Left out: the difference of hard, soft and full reset (each is a full one); the A20 gate does not mask
 * addresses, as on processors without the pin.
 */
import type { Device, RegisterBank } from '../bus/mod.ts';
import { type Checked, type Persist, record, section, u8 } from '../state/mod.ts';
import { byteBank } from './byte-bank.ts';

/** What the ACPI FADT tells to write to port 0xcf9. */
export const RESET_VALUE = 0x06;

const RCR_RESET_CPU = 0x04;
const RCR_KEPT = 0x0a; // full reset, system reset

const PORT_92_FAST_RESET = 0x01;
const PORT_92_A20 = 0x02;

const checkState = record({ rcr: u8, port92: u8 });
export type ResetControlState = Checked<typeof checkState>;

export interface ResetControlOptions {
  readonly onReset: () => void;
}

export class ResetControl implements Device {
  readonly name = 'reset-control';
  /** Port 0xcf9. It lies inside the PCI address port, so `PciHost` passes it on. */
  readonly portCf9: RegisterBank;
  readonly port92: RegisterBank;
  readonly persist: Persist<ResetControlState>;
  #rcr = 0;
  #port92 = PORT_92_A20;

  constructor(options: ResetControlOptions) {
    this.portCf9 = byteBank(
      () => this.#rcr,
      (_offset, value) => {
        // The reset happens when bit 2 goes from zero to one, but the bit itself is not kept here.
        this.#rcr = value & RCR_KEPT;
        if (value & RCR_RESET_CPU) options.onReset();
      },
    );
    this.port92 = byteBank(
      () => this.#port92,
      (_offset, value) => {
        const rising = value & ~this.#port92 & PORT_92_FAST_RESET;
        this.#port92 = value & (PORT_92_A20 | PORT_92_FAST_RESET);
        if (rising) options.onReset();
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({ rcr: this.#rcr, port92: this.#port92 }),
      load: (state) => {
        this.#rcr = state.rcr & RCR_KEPT;
        this.#port92 = state.port92 & (PORT_92_A20 | PORT_92_FAST_RESET);
      },
    });
  }

  reset(): void {
    this.#rcr = 0;
    this.#port92 = PORT_92_A20;
  }
}
