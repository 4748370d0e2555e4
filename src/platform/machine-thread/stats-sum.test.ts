import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineStats } from '../../machine/config.ts';
import { addStats } from './stats-sum.ts';

test('addStats: adds counters by name, also those that only one side has', () => {
  const earlier = { instructions: 5, exits: { io: 1, halt: 2 } } as unknown as MachineStats;
  const latest = {
    instructions: 7,
    exits: { io: 3, mmio: 4 },
    name: 'b',
  } as unknown as MachineStats;
  assert.deepEqual(addStats(earlier, latest), {
    instructions: 12,
    exits: { io: 4, halt: 2, mmio: 4 },
    name: 'b',
  });
  assert.equal(addStats(undefined, latest), latest);
});
