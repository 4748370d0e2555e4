/**
 * Machine-check registers of a machine in which nothing ever fails: banks whose status is always clear.
 * SDM Vol. 3B, chapter 16 "Machine-Check Architecture". Left out: errors themselves, and their injection.
 */
import type { Cpu } from '../cpu.ts';
import { STATE } from '../state.ts';
import { constant, field, type Msr, type MsrTable, readOnly, withFeature } from './register.ts';

const BANKS = 4;
const MC0_CTL = 0x400;
const BANK_REGISTERS = 4;

/** MCG_CAP: number of banks; MCG_CTL is there. */
const CAPABILITIES = BigInt(BANKS) | (1n << 8n);

/** Controls are all off or all on; others are #GP. */
function control(name: string, order: number): Msr {
  const allOrNothing = (_cpu: Cpu, value: bigint): boolean =>
    value === 0n || value === BigInt.asUintN(64, -1n);
  return field(name, STATE.machineCheck + order * 8, allOrNothing);
}

/** A register of a bank that only ever holds 0, and to which nothing else may be written. */
function clear(name: string): Msr {
  return { name, read: () => 0n, write: (_cpu, value) => value === 0n };
}

function bank(order: number): MsrTable {
  const first = MC0_CTL + order * BANK_REGISTERS;
  return [
    [first, control(`MC${order}_CTL`, 1 + order)],
    [first + 1, clear(`MC${order}_STATUS`)],
    [first + 2, clear(`MC${order}_ADDR`)],
    [first + 3, clear(`MC${order}_MISC`)],
  ];
}

const registers: MsrTable = [
  [0x179, readOnly('MCG_CAP', CAPABILITIES)],
  [0x17a, constant('MCG_STATUS')],
  [0x17b, control('MCG_CTL', 0)],
  ...Array.from({ length: BANKS }, (_, order) => order).flatMap(bank),
];

export const machineCheckMsrs: MsrTable = registers.map(
  ([index, register]) => [index, withFeature('mca', register)] as const,
);
