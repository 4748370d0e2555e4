/** The command `viv` with the test board: what its arguments say, but no real guest. */
import { viv } from './main.ts';

await viv(process.argv.slice(2), {
  boardModule: new URL('../platform/machine-thread/fake-board.fixture.ts', import.meta.url).href,
});
