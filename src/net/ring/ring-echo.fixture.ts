/** The thread at the other end of a link: sends every frame back. */
import { workerData } from 'node:worker_threads';
import { RingLink } from './ring-link.ts';

const { memory, bell } = workerData as {
  memory: SharedArrayBuffer;
  bell: Int32Array<SharedArrayBuffer>;
};
const end = new RingLink(memory, 1, () => {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
});
end.connect({
  receive: (frame, offload) => end.send(frame.slice(), offload),
  settled: () => {},
  ready: () => {},
  restarted: () => {},
});
for (;;) {
  const seen = Atomics.load(bell, 1);
  if (!end.poll() && !end.hasNews) Atomics.wait(bell, 1, seen, 100);
}
