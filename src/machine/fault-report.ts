import type { Vcpu } from '../engine/mod.ts';
import { type CpuState, CS, STATE } from '../x86/mod.ts';
import type { StopReason } from './config.ts';

const EXCEPTIONS: readonly string[] = [
  '#DE',
  '#DB',
  'NMI',
  '#BP',
  '#OF',
  '#BR',
  '#UD',
  '#NM',
  '#DF',
  'coprocessor overrun',
  '#TS',
  '#NP',
  '#SS',
  '#GP',
  '#PF',
  'reserved',
  '#MF',
  '#AC',
  '#MC',
  '#XM',
];

const REGISTERS = [
  'RAX',
  'RCX',
  'RDX',
  'RBX',
  'RSP',
  'RBP',
  'RSI',
  'RDI',
  'R8',
  'R9',
  'R10',
  'R11',
  'R12',
  'R13',
  'R14',
  'R15',
];

/** What a triple fault is reported as. */
export function describeShutdown(vcpu: Vcpu): StopReason {
  const fault = vcpu.lastFault;
  const vector = fault?.vector ?? 8;
  return {
    kind: 'triple-fault',
    vcpu: 0,
    rip: fault?.rip ?? vcpu.state.get64(STATE.rip),
    exception: `${EXCEPTIONS[vector] ?? 'exception'} (${vector})`,
    dump: describeRegisters(vcpu.state),
  };
}

/** The registers in a few lines, for people who debug guests. */
export function describeRegisters(state: CpuState): string {
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0');
  const lines: string[] = [];
  for (let row = 0; row < 16; row += 4) {
    lines.push(
      [0, 1, 2, 3]
        .map(
          (column) =>
            `${(REGISTERS[row + column] as string).padEnd(3)} ${hex(state.gpr(row + column))}`,
        )
        .join('  '),
    );
  }
  lines.push(
    `RIP ${hex(state.get64(STATE.rip))}  RFLAGS ${state.getFlags().toString(16).padStart(8, '0')}  CS ${state.selector(CS).toString(16).padStart(4, '0')}  CPL ${state.cpl}`,
    `CR0 ${hex(state.cr0)}  CR2 ${hex(state.get64(STATE.cr2))}  CR3 ${hex(state.cr3)}  CR4 ${hex(state.cr4)}  EFER ${hex(state.efer)}`,
  );
  return lines.join('\n');
}
