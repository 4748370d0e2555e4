import { STATE } from '../state.ts';
import { interpret } from './interpret.fixture.ts';
import type { X87Case, X87Result } from './native-x87.fixture.ts';
import { setControlWord, setStatusWord, stackOffset, statusWord } from './registers.ts';
import { TestCpu } from './test-cpu.fixture.ts';

const OPERAND = 0x1000;
const RSI = 6;
/** what FCOMI defines: CF PF AF ZF SF OF */
const FLAGS = 0x8d5;

const machine = new TestCpu();

/** Runs a case by the definitions, the reference evaluator and the helpers. */
export function runInVivarium(one: X87Case): X87Result {
  const { state, memory } = machine;
  state.set64(STATE.cr0, 0x31n);
  state.setFlags(one.flags);
  state.setGpr(RSI, BigInt(OPERAND));
  setControlWord(state, one.control);
  setStatusWord(state, one.status);
  state.set32(STATE.fpuValid, one.tags);
  for (let i = 0; i < 8; i++) {
    state.u8.set(one.stack.subarray(i * 16, i * 16 + 10), stackOffset(state, i));
  }
  memory.set(one.memory, OPERAND);
  interpret(machine, one.code);
  const stack = new Uint8Array(128);
  for (let i = 0; i < 8; i++) {
    const at = stackOffset(state, i);
    stack.set(state.u8.subarray(at, at + 10), i * 16);
  }
  return {
    memory: memory.slice(OPERAND, OPERAND + 16),
    control: state.get16(STATE.fpuControl),
    status: statusWord(state),
    tags: state.get32(STATE.fpuValid),
    stack,
    flags: state.getFlags(),
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .reverse()
    .join('');
}

function register(stack: Uint8Array, index: number): string {
  const text = hex(stack.subarray(index * 16, index * 16 + 10));
  return `${text.slice(0, 4)}:${text.slice(4)}`;
}

const word = (value: number): string => value.toString(16).padStart(4, '0');

/** What differs, with the inputs; undefined when the results agree. */
export function describeCase(
  one: X87Case,
  native: X87Result,
  mine: X87Result,
  ignore: { status?: number; registers?: boolean } = {},
): string | undefined {
  const lines: string[] = [];
  const differs = (name: string, left: string, right: string): void => {
    if (left !== right) lines.push(`  ${name}: host ${left}, here ${right}`);
  };
  differs('control', word(native.control), word(mine.control));
  const statusMask = 0xffff & ~(ignore.status ?? 0);
  differs('status', word(native.status & statusMask), word(mine.status & statusMask));
  differs('tags', word(native.tags), word(mine.tags));
  differs('flags', word(native.flags & FLAGS), word(mine.flags & FLAGS));
  differs('memory', hex(native.memory), hex(mine.memory));
  if (ignore.registers !== true) {
    for (let i = 0; i < 8; i++) {
      differs(`st${i}`, register(native.stack, i), register(mine.stack, i));
    }
  }
  if (lines.length === 0) return undefined;
  const code = hex(Uint8Array.from(one.code).reverse());
  return [
    `${code} control ${word(one.control)} status ${word(one.status)} tags ${word(one.tags)}`,
    `  st0 ${register(one.stack, 0)} st1 ${register(one.stack, 1)} st2 ${register(one.stack, 2)}`,
    `  memory ${hex(one.memory)} flags ${word(one.flags)}`,
    ...lines,
  ].join('\n');
}
