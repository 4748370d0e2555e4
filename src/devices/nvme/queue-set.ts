/** All queues of a controller, by their identifiers; 0 are those for admin commands. */
import type { GuestMemory } from '../../memory/mod.ts';
import { type Checked, list, record } from '../../state/mod.ts';
import { high16, low16, type NvmeCommand } from './command.ts';
import {
  CompletionQueue,
  checkCompletionQueue,
  checkSubmissionQueue,
  SubmissionQueue,
} from './queues.ts';
import {
  CQ_ENTRY_BYTES,
  MAX_IO_QUEUES,
  MAX_QUEUE_ENTRIES,
  PAGE_BYTES,
  SQ_ENTRY_BYTES,
  STATUS,
} from './spec.ts';

const CONTIGUOUS = 1 << 0;
const INTERRUPTS = 1 << 1;

export const checkQueueSet = record({
  submission: list(checkSubmissionQueue, 0, MAX_IO_QUEUES + 1),
  completion: list(checkCompletionQueue, 0, MAX_IO_QUEUES + 1),
});
export type QueueSetState = Checked<typeof checkQueueSet>;

export class QueueSet {
  readonly submission = new Map<number, SubmissionQueue>();
  readonly completion = new Map<number, CompletionQueue>();
  readonly #memory: GuestMemory;
  /** highest identifier */
  readonly #ioQueues: number;
  readonly #vectors: number;

  constructor(memory: GuestMemory, ioQueues: number, vectors: number) {
    this.#memory = memory;
    this.#ioQueues = ioQueues;
    this.#vectors = vectors;
  }

  clear(): void {
    this.submission.clear();
    this.completion.clear();
  }

  /** Makes the admin queues; false when they cannot be where the driver wants them. */
  createAdmin(
    sq: { base: number; entries: number },
    cq: { base: number; entries: number },
  ): boolean {
    if (sq.entries < 2 || cq.entries < 2) return false;
    if (sq.entries > MAX_QUEUE_ENTRIES || cq.entries > MAX_QUEUE_ENTRIES) return false;
    if (!this.#isPlace(sq.base, sq.entries * SQ_ENTRY_BYTES)) return false;
    if (!this.#isPlace(cq.base, cq.entries * CQ_ENTRY_BYTES)) return false;
    const fresh = { id: 0, head: 0, tail: 0 };
    this.completion.set(
      0,
      new CompletionQueue({ ...cq, ...fresh, interrupts: true, vector: 0, phase: true }),
    );
    this.submission.set(0, new SubmissionQueue({ ...sq, ...fresh, completionQueue: 0 }));
    return true;
  }

  createCompletionQueue({ dw10, dw11, prp1 }: NvmeCommand): number {
    const id = low16(dw10);
    const entries = high16(dw10) + 1;
    const vector = high16(dw11);
    if (id === 0 || id > this.#ioQueues || this.completion.has(id)) return STATUS.invalidQueueId;
    if (entries < 2 || entries > MAX_QUEUE_ENTRIES) return STATUS.invalidQueueSize;
    if (vector >= this.#vectors) return STATUS.invalidVector;
    if ((dw11 & CONTIGUOUS) === 0) return STATUS.invalidField;
    if (!this.#isPlace(prp1, entries * CQ_ENTRY_BYTES)) return STATUS.invalidPrpOffset;
    const interrupts = (dw11 & INTERRUPTS) !== 0;
    const fresh = { head: 0, tail: 0, phase: true };
    this.completion.set(
      id,
      new CompletionQueue({ id, base: prp1, entries, interrupts, vector, ...fresh }),
    );
    return STATUS.success;
  }

  createSubmissionQueue({ dw10, dw11, prp1 }: NvmeCommand): number {
    const id = low16(dw10);
    const entries = high16(dw10) + 1;
    const completionQueue = high16(dw11);
    if (completionQueue === 0 || !this.completion.has(completionQueue)) {
      return STATUS.completionQueueInvalid;
    }
    if (id === 0 || id > this.#ioQueues || this.submission.has(id)) return STATUS.invalidQueueId;
    if (entries < 2 || entries > MAX_QUEUE_ENTRIES) return STATUS.invalidQueueSize;
    if ((dw11 & CONTIGUOUS) === 0) return STATUS.invalidField;
    if (!this.#isPlace(prp1, entries * SQ_ENTRY_BYTES)) return STATUS.invalidPrpOffset;
    const fresh = { head: 0, tail: 0 };
    this.submission.set(
      id,
      new SubmissionQueue({ id, base: prp1, entries, completionQueue, ...fresh }),
    );
    return STATUS.success;
  }

  deleteSubmissionQueue(id: number): number {
    if (id === 0 || !this.submission.delete(id)) return STATUS.invalidQueueId;
    return STATUS.success;
  }

  deleteCompletionQueue(id: number): number {
    if (id === 0 || !this.completion.has(id)) return STATUS.invalidQueueId;
    for (const queue of this.submission.values()) {
      if (queue.completionQueue === id) return STATUS.invalidQueueDeletion;
    }
    this.completion.delete(id);
    return STATUS.success;
  }

  save(): QueueSetState {
    return {
      submission: [...this.submission.values()].map((queue) => queue.save()),
      completion: [...this.completion.values()].map((queue) => queue.save()),
    };
  }

  /** True when every queue of `state` could have been created here. */
  accepts({ submission, completion }: QueueSetState): boolean {
    const ids = new Set(completion.map(({ id }) => id));
    return (
      ids.size === completion.length &&
      new Set(submission.map(({ id }) => id)).size === submission.length &&
      completion.every(
        (queue) =>
          queue.id <= this.#ioQueues &&
          queue.vector < this.#vectors &&
          this.#isPlace(queue.base, queue.entries * CQ_ENTRY_BYTES),
      ) &&
      submission.every(
        (queue) =>
          queue.id <= this.#ioQueues &&
          ids.has(queue.completionQueue) &&
          this.#isPlace(queue.base, queue.entries * SQ_ENTRY_BYTES),
      )
    );
  }

  load(state: QueueSetState): void {
    this.clear();
    for (const queue of state.completion) this.completion.set(queue.id, new CompletionQueue(queue));
    for (const queue of state.submission) this.submission.set(queue.id, new SubmissionQueue(queue));
  }

  #isPlace(base: number, bytes: number): boolean {
    return base % PAGE_BYTES === 0 && this.#memory.contains(base, bytes);
  }
}
