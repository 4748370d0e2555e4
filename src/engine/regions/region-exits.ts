import { CPU, TLB_BASE } from '../handlers/handler-emitter.ts';
import { countBudget, LEAVE_REGION } from '../handlers/leave-region.ts';
import type { RegionTypes } from '../handlers/region-types.ts';
import { AFTER_HELPER } from '../handlers/runtime.ts';
import { EXIT_ENTRY, EXIT_WORD } from './exit-entry.ts';
import type { RegionFrame } from './region-frame.ts';
import type { RegionExit } from './region-table.ts';

/** The ways out of a region, and the end of its function that they share. */
export class RegionExits {
  readonly list: RegionExit[] = [];
  readonly #frame: RegionFrame;
  readonly #afterHelper: number;
  readonly #leaveRegion: number;

  constructor(frame: RegionFrame, { afterHelper, leaveRegion }: RegionTypes) {
    this.#frame = frame;
    this.#afterHelper = afterHelper;
    this.#leaveRegion = leaveRegion;
  }

  /** The number of an exit's entry. */
  numberOf(exit: RegionExit): number {
    // The accesses of an instruction leave alike.
    const last = this.list.at(-1);
    const isSame = last?.kind === exit.kind && last.at === exit.at && last.left === exit.left;
    if (!isSame) this.list.push(exit);
    return this.list.length - 1;
  }

  /** Pushes what a field of an entry holds. */
  pushField(number: number, field: number): void {
    const { f, entriesAt } = this.#frame;
    f.ownValue().i32Load(entriesAt + number * EXIT_ENTRY.bytes + field);
  }

  /** Registers and flags are written back: goes on where the exit says. */
  epilogue(): void {
    const { f, graph, exit } = this.#frame;
    f.get(exit).i32Const(EXIT_WORD.rip).i32And().i32Eqz().if();
    this.#pushEntry();
    f.i32Const(this.#frame.entriesAt).i32Add().set(exit);
    f.end();
    f.get(exit).get(this.#frame.rest).get(CPU).get(TLB_BASE).get(this.#frame.exitRip);
    f.i32Const(graph.bits === 64 ? LEAVE_REGION.wide : LEAVE_REGION.narrow);
    f.returnCallIndirect(this.#leaveRegion);
  }

  /** Pushes the place of the entry whose exit is in the frame, less what stands before the entries. */
  #pushEntry(): void {
    const shift = EXIT_WORD.entry - Math.log2(EXIT_ENTRY.bytes);
    const { f, exit } = this.#frame;
    f.get(exit).i32Const(shift).op(0x76).i32Const(-EXIT_ENTRY.bytes).i32And(); // shr_u
    f.ownValue().i32Add();
  }

  /** After a helper that did not simply return: its status is in helperStatus, the state is written back. */
  helperEpilogue(): void {
    const { f, entriesAt } = this.#frame;
    this.#pushEntry();
    f.tee(this.#frame.exit);
    f.i32Load(entriesAt + EXIT_ENTRY.left)
      .get(this.#frame.rest)
      .i32Add()
      .set(this.#frame.rest);
    f.get(this.#frame.exit)
      .i32Load(entriesAt + EXIT_ENTRY.record)
      .set(this.#frame.exitRecord);
    countBudget(f, CPU, this.#frame.rest, 'out');
    f.get(this.#frame.exitRecord).get(this.#frame.rest).get(this.#frame.exitRecord).i32Add();
    f.get(CPU).get(TLB_BASE).get(this.#frame.helperStatus);
    f.i32Const(AFTER_HELPER).returnCallIndirect(this.#afterHelper);
  }

  /** Pushes the recipe of the exit in the frame. */
  pushRecipe(): void {
    this.#frame.f.get(this.#frame.exit).i32Const(EXIT_WORD.recipe).op(0x76).i32Const(0xff).i32And();
  }
}
