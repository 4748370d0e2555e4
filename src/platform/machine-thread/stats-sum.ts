import type { MachineStats } from '../../machine/config.ts';

/** Adds counters name by name; what is no number is taken from `latest`. */
export function addStats(earlier: MachineStats | undefined, latest: MachineStats): MachineStats {
  return earlier === undefined ? latest : (add(earlier, latest) as MachineStats);
}

function add(left: unknown, right: unknown): unknown {
  if (typeof left === 'number' && typeof right === 'number') return left + right;
  if (!isRecord(left)) return right ?? left;
  if (!isRecord(right)) return right ?? left;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return Object.fromEntries([...names].map((name) => [name, add(left[name], right[name])]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
