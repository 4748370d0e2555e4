/** Runs single system instructions, from their bytes, on the test processor. */
import { type Access, type Datum, type Environment, evaluate } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import { DECODED, Decoder } from '../decoder.ts';
import { GuestFault, UD } from '../fault.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { CS, STATE } from '../state.ts';
import { ATTRIBUTE, in64BitMode, inRealMode, systemHelpers } from '../system/mod.ts';
import { stackWidth } from '../system/stack.ts';
import { TestCpu } from '../system/test-cpu.fixture.ts';
import { systemControlInstructions } from './system-control.ts';
import { systemIoInstructions } from './system-io.ts';
import { systemSegmentInstructions } from './system-segments.ts';
import { systemTransferInstructions } from './system-transfer.ts';

const table = buildOpcodeTable([
  ...systemControlInstructions,
  ...systemIoInstructions,
  ...systemSegmentInstructions,
  ...systemTransferInstructions,
]);

/** Every encoding of the system instructions. */
export const systemEncodings = table.encodings;

export class SystemProcessor extends TestCpu {
  readonly #decoder = new Decoder(table, (feature) => this.hasFeature(feature));

  /** Executes the instruction with these bytes at `rip`. Throws GuestFault. */
  execute(hex: string): void {
    const code = Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16));
    const { state } = this;
    const wide = (state.segmentAttributes(CS) & ATTRIBUTE.DB) !== 0;
    const mode = in64BitMode(state) ? 64 : wide ? 32 : 16;
    const virtual = (state.systemFlags & EFLAGS.VM) !== 0;
    const stackSize = stackWidth(state);
    const decoder = this.#decoder;
    const real = inRealMode(state) || virtual;
    const status = decoder.decode(code, 0, code.length, { bits: mode, stackSize, real });
    if (status !== DECODED) throw new GuestFault(UD);
    if (decoder.length !== code.length) throw new Error(`${hex}: ${decoder.length} bytes decoded`);
    this.instructionBytes = BigInt(code.length);
    this.redirectedTo = undefined;
    const { a, b, c, base, index, segment, immediateLow, immediateHigh } = decoder;
    const { operandSize, addressSize, memory, repeat, lock, vectorLength } = decoder;
    const body = buildMeaning(
      decoder.encoding,
      { mode, stackSize, operandSize, addressSize, memory, repeat, lock, vectorLength },
      {
        slots: { a, b, c, base, index, segment },
        scale: decoder.scale,
        displacement: decoder.displacement,
        immediate: (BigInt.asUintN(32, BigInt(immediateHigh)) << 32n) | BigInt(immediateLow >>> 0),
      },
    );
    evaluate(body, this.#environment());
  }

  #environment(): Environment {
    const { view } = this.state;
    return {
      readState: (field, access) => readField(view, (field as { offset: number }).offset, access),
      writeState: (field, access, value) =>
        writeField(view, (field as { offset: number }).offset, access, value),
      parameter: (which) => (which === 'nextRip' ? this.nextRip() : this.rip),
      load: (address, width) => this.readLinear(address, width / 8),
      store: (address, width, value) => this.writeLinear(address, width / 8, value as bigint),
      helper: (name, args) => {
        this.#call(name, args);
        return this.redirectedTo !== undefined;
      },
      call: (name, args) => this.#call(name, args) as Datum,
      fault: (vector, errorCode) => {
        throw new GuestFault(vector, errorCode);
      },
      privilegeChanged: () => {},
      branchRelative: () => {},
      branch: (rip) => this.redirect(rip),
    };
  }

  #call(name: string, args: Datum[]): unknown {
    const params = systemHelpers[name]?.params ?? [];
    const types = args.map((arg) => (typeof arg === 'bigint' ? 'i64' : 'i32'));
    if (types.join() !== params.join()) {
      throw new Error(`${name}(${params.join()}) is called with (${types.join()})`);
    }
    return this.run(name, ...(args as (number | bigint)[]));
  }
}

function bitsOf(access: Access): number {
  if (access === 'i64') return 64;
  return access === 'i32' ? 32 : Number(/\.(\d+)/.exec(access)?.[1]);
}

function readField(view: DataView, at: number, access: Access): Datum {
  const bits = bitsOf(access);
  const low = BigInt.asUintN(bits, view.getBigUint64(Math.min(at, STATE.size - 8), true));
  const value = access.endsWith('s') ? BigInt.asIntN(bits, low) : low;
  return access.startsWith('i64') ? BigInt.asUintN(64, value) : Number(BigInt.asIntN(32, value));
}

function writeField(view: DataView, at: number, access: Access, value: Datum): void {
  const word = BigInt(value as bigint | number);
  for (let i = 0; i < bitsOf(access) / 8; i++) {
    view.setUint8(at + i, Number((word >> BigInt(8 * i)) & 0xffn));
  }
}
