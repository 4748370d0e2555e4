/** Ports, model-specific registers, time stamps and identification. */
import type { Value } from '../../ir/mod.ts';
import { GP } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { ES, RAX, RCX, RDX, STATE, segmentBaseOffset } from '../state.ts';
import { CR4 } from '../system/control-bits.ts';

/** Ports are at most four bytes wide. */
function portBytes(operand: Operand): number {
  return operand.width === 8 ? 1 : operand.width === 16 ? 2 : 4;
}

/** IN. SDM Vol. 2A "IN". */
const portIn = define(
  'in',
  [form('E4 ib', 'AL Ib'), form('E5 ib', 'eAX Ib'), form('EC', 'AL DX'), form('ED', 'eAX DX')],
  (b, [accumulator, port]) => {
    b.helper('portIn', b.wrap(port.readUnsigned()), b.i32(portBytes(accumulator)));
  },
);

/** OUT. SDM Vol. 2B "OUT". */
const portOut = define(
  'out',
  [form('E6 ib', 'Ib AL'), form('E7 ib', 'Ib eAX'), form('EE', 'DX AL'), form('EF', 'DX eAX')],
  (b, [port, accumulator]) => {
    b.helper('portOut', b.wrap(port.readUnsigned()), b.i32(portBytes(accumulator)));
  },
);

/** `segment` is the state offset of the segment's base. */
function stringPort(b: Semantics, helper: string, bytes: number, segment: Value): void {
  const repeat = b.i32(b.shape.repeat === 'none' ? 0 : 1);
  b.helper(helper, b.i32(bytes), b.i32(b.shape.addressSize), repeat, segment);
}

/** Where ES has its base: 64-bit mode ignores it. */
function extraSegment(b: Semantics): Value {
  return b.i32(b.shape.mode === 64 ? STATE.zero : segmentBaseOffset(ES));
}

function wideBytes(b: Semantics): number {
  return b.shape.operandSize === 16 ? 2 : 4;
}

/** INS: to ES:rDI, which no prefix overrides. OUTS: from DS:rSI. */
const insb = define('insb', [form('6C', '', 'rep')], (b) => {
  stringPort(b, 'ins', 1, extraSegment(b));
});
const ins = define('ins', [form('6D', '', 'rep')], (b) => {
  stringPort(b, 'ins', wideBytes(b), extraSegment(b));
});
const outsb = define('outsb', [form('6E', '', 'rep')], (b) => {
  stringPort(b, 'outs', 1, b.fieldOffset(b.slot('segment')));
});
const outs = define('outs', [form('6F', '', 'rep')], (b) => {
  stringPort(b, 'outs', wideBytes(b), b.fieldOffset(b.slot('segment')));
});

/** Splits a 64-bit value over EDX:EAX. */
function writeEdxEax(b: Semantics, value: Value): void {
  b.writeGpr(RAX, 32, value);
  b.writeGpr(RDX, 32, b.shrU(value, b.i64(32)));
}

/** #GP in user code when `bit` of CR4 has the value `when`. */
function requireTimeStamp(b: Semantics): void {
  const disabled = b.and(b.readField32(STATE.cr4), b.i32(CR4.TSD));
  const user = b.readField32(STATE.cpl);
  b.if(b.and(b.ne(disabled, b.i32(0)), b.ne(user, b.i32(0))), () => b.fault(GP));
}

const rdtsc = define('rdtsc', [form('0F 31', '', 'cpuid:tsc')], (b) => {
  requireTimeStamp(b);
  writeEdxEax(b, b.call('readTsc', 'i64'));
});

const rdtscp = define('rdtscp', [form('0F 01 F9', '', 'cpuid:rdtscp')], (b) => {
  requireTimeStamp(b);
  writeEdxEax(b, b.call('readTsc', 'i64'));
  b.writeGpr(RCX, 32, b.readField(STATE.tscAux));
});

const rdpid = define('rdpid', [form('F3 0F C7 /7', 'Ry', 'cpuid:rdpid')], (b, [destination]) => {
  destination.write(b.zeroExtend(b.readField(STATE.tscAux), 32));
});

/** RDRAND, RDSEED: CF says whether there was a number. SDM Vol. 2B "RDRAND". */
function randomNumber(name: string, opcode: string): Instruction {
  return define(name, [form(opcode, 'Rv', `cpuid:${name}`)], (b, [destination]) => {
    b.helper('random');
    destination.write(b.readField(STATE.scratch));
    b.setResult(b.i64(1)); // ZF, SF, PF clear
    b.setOverflowSign(b.i64(0));
    b.setAdjustBit4(b.i64(0));
    b.setCarry(b.wrap(b.readField(STATE.scratch + 8)));
  });
}

const rdpmc = define('rdpmc', [form('0F 33')], (b) => b.helper('rdpmc'));
const rdmsr = define('rdmsr', [form('0F 32', '', 'cpl0')], (b) => b.helper('rdmsr'));
const wrmsr = define('wrmsr', [form('0F 30', '', 'cpl0')], (b) => b.helper('wrmsr'));
const cpuid = define('cpuid', [form('0F A2')], (b) => b.helper('cpuid'));

export const systemIoInstructions: readonly Instruction[] = [
  portIn,
  portOut,
  insb,
  ins,
  outsb,
  outs,
  rdtsc,
  rdtscp,
  rdpid,
  randomNumber('rdrand', '0F C7 /6 mod=3'),
  randomNumber('rdseed', '0F C7 /7 mod=3'),
  rdpmc,
  rdmsr,
  wrmsr,
  cpuid,
];
