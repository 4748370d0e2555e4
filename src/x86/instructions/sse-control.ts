import { GP } from '../fault.ts';
import { define, type Instruction } from '../form.ts';
import { STATE } from '../state.ts';
import { sse } from './sse-shared.ts';

/** MXCSR bits 31 to 16 do not exist: setting one is #GP. */
const MXCSR_RESERVED = 0xffff_0000;

/** LDMXCSR. SDM Vol. 2A "LDMXCSR". */
export const ldmxcsr = define('ldmxcsr', [sse('NP 0F AE /2', 'Md', 'sse')], (b, [source]) => {
  const value = b.wrap(source.read());
  b.if(b.and(value, b.i32(MXCSR_RESERVED)), () => b.fault(GP));
  b.writeField32(STATE.mxcsr, value);
});

/** STMXCSR. SDM Vol. 2B "STMXCSR". */
export const stmxcsr = define('stmxcsr', [sse('NP 0F AE /3', 'Md', 'sse')], (b, [destination]) => {
  destination.write(b.widen(b.readField32(STATE.mxcsr)));
});

export const sseControlInstructions: readonly Instruction[] = [ldmxcsr, stmxcsr];
