import { evaluate } from '../../ir/evaluate.ts';
import { accessType, type Body, type Datum } from '../../ir/mod.ts';
import { type CodeMode, DECODED, Decoder } from '../decoder.ts';
import { GuestFault } from '../fault.ts';
import { x87Instructions } from '../instructions/x87.ts';
import { xsaveInstructions } from '../instructions/xsave.ts';
import { buildMeaning } from '../meaning.ts';
import { buildOpcodeTable } from '../opcode-table.ts';
import { fpuHelpers } from './mod.ts';
import type { TestCpu } from './test-cpu.fixture.ts';

const table = buildOpcodeTable([...x87Instructions, ...xsaveInstructions]);
const LONG_MODE: CodeMode = { bits: 64, stackSize: 64, real: false };
const bodies = new Map<string, Body>();

/** The meaning of the x87 instruction in `code`, for 64-bit mode. */
function bodyOf(code: readonly number[]): Body {
  const key = code.join();
  let body = bodies.get(key);
  if (body !== undefined) return body;
  const decoder = new Decoder(table, () => true);
  const bytes = Uint8Array.from([...code, 0x90]);
  if (decoder.decode(bytes, 0, bytes.length, LONG_MODE) !== DECODED) {
    throw new Error(`cannot decode ${key}`);
  }
  const { encoding, memory, operandSize, addressSize } = decoder;
  body = buildMeaning(
    encoding,
    {
      mode: 64,
      stackSize: 64,
      operandSize,
      addressSize,
      memory,
      repeat: 'none',
      lock: false,
      vectorLength: undefined,
    },
    {
      slots: {
        a: decoder.a,
        b: decoder.b,
        c: decoder.c,
        base: decoder.base,
        index: decoder.index,
        segment: decoder.segment,
      },
      scale: 0,
      displacement: decoder.displacement,
      immediate: BigInt(decoder.immediateLow),
    },
  );
  bodies.set(key, body);
  return body;
}

/** Executes one x87 instruction on `machine` by the reference evaluator. Throws GuestFault. */
export function interpret(machine: TestCpu, code: readonly number[]): void {
  const { state } = machine;
  evaluate(bodyOf(code), {
    readState: (field, access) => {
      const at = offsetOf(field);
      const bits = Number(access.match(/\d+(?=[su]?$)/)?.[0] ?? 64);
      const raw = readBits(machine, at, access.startsWith('i32') && bits === 32 ? 32 : bits);
      const value = access.endsWith('s') ? BigInt.asIntN(bits, raw) : raw;
      return accessType(access) === 'i32' ? Number(BigInt.asIntN(32, value)) : u64(value);
    },
    writeState: (field, access, value) => {
      const at = offsetOf(field);
      const bits = Number(access.match(/\d+(?=[su]?$)/)?.[0] ?? 64);
      const raw = BigInt(value as number | bigint);
      for (let i = 0; i < bits / 8; i++) {
        state.u8[at + i] = Number(BigInt.asUintN(8, raw >> BigInt(8 * i)));
      }
    },
    parameter: () => 0n,
    load: (address, width) => machine.readLinear(address, width / 8),
    store: (address, width, value) => machine.writeLinear(address, width / 8, value as bigint),
    helper: (name, args) => {
      const helper = fpuHelpers[name];
      if (helper === undefined) throw new Error(`no helper ${name}`);
      helper.run(machine.cpu, ...args);
      return false;
    },
    call: (name, args): Datum => {
      const helper = fpuHelpers[name];
      if (helper === undefined) throw new Error(`no helper ${name}`);
      return helper.run(machine.cpu, ...args);
    },
    fault: (vector, errorCode) => {
      throw new GuestFault(vector, errorCode);
    },
    privilegeChanged: () => {},
    branchRelative: () => {},
    branch: () => {},
  });
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

function offsetOf(field: { kind: string; offset?: number }): number {
  if (field.offset === undefined) throw new Error('late-bound field');
  return field.offset;
}

function readBits(machine: TestCpu, at: number, bits: number): bigint {
  let value = 0n;
  for (let i = bits / 8 - 1; i >= 0; i--) {
    value = (value << 8n) | BigInt(machine.state.u8[at + i] ?? 0);
  }
  return value;
}
