import { test } from 'node:test';
import { ideRound } from './ide-round.ts';
import { nvmeRound } from './nvme-round.ts';
import { qcow2Round } from './qcow2-round.ts';
import { seeded } from './rounds.ts';
import { virtqueueRound } from './virtqueue-round.ts';

for (const [what, round, seeds] of [
  ['damaged qcow2 images are used, checked and repaired without a fault of ours', qcow2Round, 20],
  ['an IDE controller stands a hostile driver', ideRound, 10],
  ['an NVMe controller stands a hostile driver', nvmeRound, 10],
  ['every device of virtio stands hostile queues', virtqueueRound, 40],
] as const) {
  test(what, () => {
    for (let seed = 1; seed <= seeds; seed++) seeded(round)(seed);
  });
}
