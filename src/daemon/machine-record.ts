/** What is written down about a machine, so that other commands find it: `machine.json`. */
import { z } from 'zod';

const ending = z.object({
  /** when, as ISO 8601 */
  at: z.string(),
  /** the exit code of the process that ran it */
  code: z.int(),
});

const schema = z.object({
  version: z.literal(1),
  /** told apart from another machine that had the name before */
  id: z.string(),
  name: z.string(),
  /** the process that runs it */
  pid: z.int(),
  /** when, as ISO 8601 */
  startedAt: z.string(),
  /** runs without a terminal; its console is in a log */
  background: z.boolean(),
  /** the directory in which it was started */
  directory: z.string(),
  /** what it boots, in words */
  boots: z.string(),
  memory: z.string(),
  /** the image of a distribution that it was started from */
  image: z.string().optional(),
  ended: ending.optional(),
});

export type MachineRecord = z.infer<typeof schema>;
export type MachineEnding = z.infer<typeof ending>;

/** Reads a record; undefined for a text that is none. */
export function parseRecord(text: string): MachineRecord | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** `running`: it answers; `ended`: it said how; `lost`: its process is gone without a word. */
export type MachineCondition = 'running' | 'ended' | 'lost';

/** A machine as the registry knows it. */
export interface MachineEntry {
  readonly record: MachineRecord;
  readonly condition: MachineCondition;
  /** where its record, socket and logs lie */
  readonly directory: string;
}
