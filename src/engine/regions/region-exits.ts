import { I32, VOID } from '../../wasm/mod.ts';
import { STATE } from '../../x86/mod.ts';
import { CPU, CURSOR, PC, TLB_BASE } from '../handlers/handler-emitter.ts';
import { AFTER_HELPER, emitDispatch } from '../handlers/runtime.ts';
import { EXIT, RECORD } from '../record.ts';
import type { RegionFrame } from './region-frame.ts';
import { EXIT_ENTRY, type RegionExit } from './region-table.ts';

/** A power of two. */
const SAMPLED_EXITS = 128;

/** The ways out of a region, and the end of its function that they share. */
export class RegionExits {
  readonly list: RegionExit[] = [];
  readonly #frame: RegionFrame;
  readonly #afterHelper: number;

  /** @param afterHelper type of what is at AFTER_HELPER in the table */
  constructor(frame: RegionFrame, afterHelper: number) {
    this.#frame = frame;
    this.#afterHelper = afterHelper;
  }

  /** The number of an exit. */
  numberOf(exit: RegionExit): number {
    // The accesses of an instruction leave alike.
    const last = this.list.at(-1);
    const isSame =
      last?.kind === exit.kind &&
      last.at === exit.at &&
      last.left === exit.left &&
      last.recipe === exit.recipe;
    if (!isSame) this.list.push(exit);
    return this.list.length - 1;
  }

  /** Pushes what a field of an entry holds. */
  pushField(number: number, field: number): void {
    const { f, entriesAt } = this.#frame;
    f.getOwnGlobal().i32Load(entriesAt + number * EXIT_ENTRY.bytes + field);
  }

  /** Registers and flags are written back: goes on where the exit said. */
  epilogue(): void {
    const { f, entriesAt } = this.#frame;
    this.#readExit();
    f.get(this.#frame.exit)
      .i32Load(entriesAt + EXIT_ENTRY.handler)
      .set(this.#frame.exitHandler);
    f.get(this.#frame.exitRecord).if();
    f.get(this.#frame.exit).memory([0x34], entriesAt + EXIT_ENTRY.page); // i64.load32_s
    f.i64Const(8n).op(0x87); // shr_s: the recipe goes
    f.i64Const(12n).op(0x86).get(this.#frame.ripBase).i64Add().set(this.#frame.exitRip);
    f.end();
    this.#countInstructions();
    f.get(this.#frame.exitHandler).i32Eqz().if(VOID, true);
    this.#sampleExit();
    f.end();
    f.get(this.#frame.rest)
      .get(CPU)
      .i32Load(STATE.attention)
      .i32Or()
      .i32Const(0)
      .op(0x48)
      .if(VOID, false);
    this.#storeExitRip();
    f.i32Const(EXIT.budget).return();
    f.end();
    f.get(this.#frame.exitRecord).if();
    f.get(CPU).get(this.#frame.exitRip).i64Store(STATE.ripBase);
    f.get(this.#frame.exitRecord)
      .get(this.#frame.rest)
      .get(this.#frame.exitRecord)
      .i32Add()
      .get(CPU)
      .get(TLB_BASE);
    f.get(this.#frame.exitHandler);
    f.get(this.#frame.exitRecord).i32Load(RECORD.handler);
    f.get(this.#frame.exitHandler).select();
    f.returnCallIndirect(this.#frame.handlerType);
    f.end();
    emitDispatch(f, this.#frame.handlerType, this.#frame.exitRip, this.#frame.rest, CPU, TLB_BASE);
  }

  /** What the table says of the exit whose number is in the frame, which becomes the place of its entry. */
  #readExit(): void {
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
  }

  /** Pushes the place of the entry whose number is in the frame, less what stands before the entries. */
  #pushEntry(): void {
    this.#frame.f.get(this.#frame.exit).i32Const(4).op(0x74).getOwnGlobal().i32Add();
  }

  /** One exit in SAMPLED_EXITS leaves to TypeScript, which looks whether its target deserves a region. */
  #sampleExit(): void {
    const f = this.#frame.f;
    const count = f.local(I32);
    f.get(CPU).get(CPU).i32Load(STATE.regionExits).i32Const(1).i32Add().tee(count);
    f.i32Store(STATE.regionExits);
    f.get(count)
      .i32Const(SAMPLED_EXITS - 1)
      .i32And()
      .i32Eqz()
      .if(VOID, false);
    this.#storeExitRip();
    f.i32Const(EXIT.hot).return();
    f.end();
  }

  /** STATE.rip and STATE.budget as the exit says. */
  #storeExitRip(): void {
    const f = this.#frame.f;
    f.get(this.#frame.exitRecord).if();
    f.get(this.#frame.exitRip).get(this.#frame.exitRecord).memory([0x33], RECORD.start).i64Add();
    this.#frame.cutRip();
    f.set(this.#frame.exitRip);
    f.end();
    f.get(CPU).get(this.#frame.exitRip).i64Store(STATE.rip);
    f.get(CPU).get(this.#frame.rest).i32Store(STATE.budget);
  }

  /** Instructions run here, for the statistics: budget at entry minus what is left. */
  #countInstructions(): void {
    const f = this.#frame.f;
    f.get(CPU).get(CPU).i64Load(STATE.regionBytes);
    f.get(CURSOR)
      .get(PC)
      .i32Sub()
      .get(this.#frame.rest)
      .i32Sub()
      .op(0xac)
      .i64Add()
      .i64Store(STATE.regionBytes);
  }

  /** After a helper that did not simply return: its status is in exitHandler, the state is written back. */
  helperEpilogue(): void {
    const f = this.#frame.f;
    this.#readExit();
    this.#countInstructions();
    f.get(this.#frame.exitRecord).get(this.#frame.rest).get(this.#frame.exitRecord).i32Add();
    f.get(CPU).get(TLB_BASE).get(this.#frame.exitHandler);
    f.i32Const(AFTER_HELPER).returnCallIndirect(this.#afterHelper);
  }

  /** Pushes the recipe of the exit whose number is in the frame. */
  pushRecipe(): void {
    const { f, entriesAt } = this.#frame;
    this.#pushEntry();
    f.i32Load8u(entriesAt + EXIT_ENTRY.recipe);
  }
}
