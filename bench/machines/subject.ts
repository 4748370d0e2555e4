/** Something that runs workloads: the host itself, Vivarium, a peer. */
import type { Workload } from '../workloads.ts';

/** One run of one workload. */
export interface Sample {
  readonly wall: number;
  /** processor time of the host */
  readonly cpu: number;
  /** exit status of the line; -1 if the machine did not survive it */
  readonly status: number;
  /** what the workload printed: the same everywhere */
  readonly output: string;
  /** guest instructions, where they are counted */
  readonly instructions?: number;
}

export interface Subject extends AsyncDisposable {
  readonly name: string;
  run(workload: Workload): Promise<Sample>;
  /** The most memory that it ever held, in MiB; undefined for the host. */
  resident(): number | undefined;
}
