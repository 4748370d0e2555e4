/** Events the processor delivers through the interrupt table. SDM Vol. 3A chapter 6; APM Vol. 2 chapter 8. */
import { AC, DE, DF, GP, NP, PF, SSF, TS } from '../fault.ts';

/**
 * - `fault`     an exception raised by an instruction that has not completed
 * - `trap`      an exception after an instruction (single step, data breakpoint)
 * - `software`  INT n, INT3, INTO: the gate's DPL is checked and EXT is clear in error codes
 * - `external`  a maskable interrupt;  `nmi` a non-maskable one
 */
export type EventKind = 'fault' | 'trap' | 'software' | 'external' | 'nmi';

export interface CpuEvent {
  readonly vector: number;
  readonly kind: EventKind;
  /** pushed for exceptions that have one, else ignored */
  readonly errorCode: number;
  /** CR2, page faults only */
  readonly address?: bigint | undefined;
  /** instruction pointer to push: the instruction itself for faults, else the next one */
  readonly rip: bigint;
}

const WITH_ERROR_CODE = maskOf(DF, TS, NP, SSF, GP, PF, AC, 21, 29, 30);
const CONTRIBUTORY = maskOf(DE, TS, NP, SSF, GP, 21);

function maskOf(...vectors: number[]): number {
  return vectors.reduce((mask, vector) => mask | (1 << vector), 0);
}

function isException(event: CpuEvent): boolean {
  return event.kind === 'fault' || event.kind === 'trap';
}

/** True when an error code is pushed: for some exceptions, never for interrupts. */
export function hasErrorCode(event: CpuEvent): boolean {
  return isException(event) && event.vector < 32 && ((WITH_ERROR_CODE >>> event.vector) & 1) !== 0;
}

/** EXT bit of an error code raised while `event` is delivered. */
export function externalBit(event: CpuEvent): number {
  return event.kind === 'software' ? 0 : 1;
}

type Weight = 'benign' | 'contributory' | 'page-fault' | 'double-fault';

function weightOf(event: CpuEvent): Weight {
  if (!isException(event)) return 'benign';
  if (event.vector === PF) return 'page-fault';
  if (event.vector === DF) return 'double-fault';
  return event.vector < 32 && ((CONTRIBUTORY >>> event.vector) & 1) !== 0
    ? 'contributory'
    : 'benign';
}

/**
 * What a fault raised while `first` was being delivered amounts to: itself, a double fault, or
 * shutdown. SDM Vol. 3A, table "Conditions for Generating a Double Fault".
 */
export function compound(first: CpuEvent, second: CpuEvent): CpuEvent | 'shutdown' {
  const before = weightOf(first);
  const after = weightOf(second);
  if (before === 'double-fault') return after === 'benign' ? second : 'shutdown';
  const double =
    (before === 'contributory' && after === 'contributory') ||
    (before === 'page-fault' && after !== 'benign');
  return double ? { vector: DF, kind: 'fault', errorCode: 0, rip: second.rip } : second;
}
