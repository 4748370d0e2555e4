/** Submission and completion queues in guest memory. NVM Express 1.4, section 4.1. */
import type { GuestMemory } from '../../memory/mod.ts';
import { boolean, type Checked, integer, record, u16 } from '../../state/mod.ts';
import { type NvmeCommand, parseCommand } from './command.ts';
import { CQ_ENTRY_BYTES, DO_NOT_RETRY, MAX_QUEUE_ENTRIES, SQ_ENTRY_BYTES, STATUS } from './spec.ts';

const base = integer(0, Number.MAX_SAFE_INTEGER);
const entries = integer(2, MAX_QUEUE_ENTRIES);
export const checkSubmissionQueue = record({
  id: u16,
  base,
  entries,
  completionQueue: u16,
  head: u16,
  tail: u16,
});
export type SubmissionQueueState = Checked<typeof checkSubmissionQueue>;
export const checkCompletionQueue = record({
  id: u16,
  base,
  entries,
  interrupts: boolean,
  vector: u16,
  head: u16,
  tail: u16,
  phase: boolean,
});
export type CompletionQueueState = Checked<typeof checkCompletionQueue>;

const scratch = new DataView(new ArrayBuffer(SQ_ENTRY_BYTES));
const scratchBytes = new Uint8Array(scratch.buffer);

/** Commands from the driver. */
export class SubmissionQueue {
  readonly id: number;
  readonly base: number;
  readonly entries: number;
  readonly completionQueue: number;
  head: number;
  tail: number;

  constructor(state: SubmissionQueueState) {
    this.id = state.id;
    this.base = state.base;
    this.entries = state.entries;
    this.completionQueue = state.completionQueue;
    this.head = state.head % state.entries;
    this.tail = state.tail % state.entries;
  }

  /** Takes the next command; undefined when there is none. */
  next(memory: GuestMemory): NvmeCommand | undefined {
    if (this.head === this.tail) return undefined;
    memory.read(this.base + this.head * SQ_ENTRY_BYTES, scratchBytes);
    this.head = (this.head + 1) % this.entries;
    return parseCommand(scratch);
  }

  save(): SubmissionQueueState {
    const { id, base, entries, completionQueue, head, tail } = this;
    return { id, base, entries, completionQueue, head, tail };
  }
}

/**
 * Completions for the driver, which sees new ones by their phase bit.
 *
 * ```
 * dword 0  result   2  submission queue 31:16, its head 15:0   3  status 31:17  phase 16  id 15:0
 * ```
 */
export class CompletionQueue {
  readonly id: number;
  readonly base: number;
  readonly entries: number;
  readonly interrupts: boolean;
  readonly vector: number;
  head: number;
  tail: number;
  phase: boolean;

  constructor(state: CompletionQueueState) {
    this.id = state.id;
    this.base = state.base;
    this.entries = state.entries;
    this.interrupts = state.interrupts;
    this.vector = state.vector;
    this.head = state.head % state.entries;
    this.tail = state.tail % state.entries;
    this.phase = state.phase;
  }

  get isFull(): boolean {
    return (this.tail + 1) % this.entries === this.head;
  }

  /** Completions that the driver has not taken. */
  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  post(
    memory: GuestMemory,
    queue: SubmissionQueue,
    commandId: number,
    status: number,
    result: number,
  ): void {
    const refused = status === STATUS.success ? 0 : status | DO_NOT_RETRY;
    scratch.setUint32(0, result, true);
    scratch.setUint32(4, 0, true);
    scratch.setUint16(8, queue.head, true);
    scratch.setUint16(10, queue.id, true);
    scratch.setUint16(12, commandId, true);
    scratch.setUint16(14, (refused << 1) | (this.phase ? 1 : 0), true);
    const at = this.base + this.tail * CQ_ENTRY_BYTES;
    memory.write(at, scratchBytes.subarray(0, CQ_ENTRY_BYTES));
    this.tail = (this.tail + 1) % this.entries;
    if (this.tail === 0) this.phase = !this.phase;
  }

  save(): CompletionQueueState {
    const { id, base, entries, interrupts, vector, head, tail, phase } = this;
    return { id, base, entries, interrupts, vector, head, tail, phase };
  }
}
