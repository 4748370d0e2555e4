import { Bus, type InterruptController } from '../../../src/bus/mod.ts';
import {
  type BatchCompiler,
  EAGER_POLICY,
  ENGINE_POOL_BYTES,
  InterpVcpu,
  type KeptBatch,
  type KeptRegion,
  ReferenceVcpu,
  RegionCompiler,
  type RegionJob,
  type RegionProduct,
  type RegionWorkshop,
  type TablePlace,
  type VcpuExit,
  type VcpuHost,
  type WorkshopPlace,
} from '../../../src/engine/mod.ts';
import { FramePool, GuestMemory, PAGE_BYTES } from '../../../src/memory/mod.ts';
import { assert } from '../../../src/util/mod.ts';
import { CpuModel, parseCpu } from '../../../src/x86/cpuid/mod.ts';
import { buildOpcodeTable, type CpuState, helpers, instructions } from '../../../src/x86/mod.ts';
import { STATE } from '../../../src/x86/state.ts';
import { RAM_BYTES } from './layout.ts';

/**
 * `ordered`: regions that come from a workshop, some time after they were asked for, and are compiled again in batches;
 * `archived`: regions that another machine has made
 */
export type EngineName = 'reference' | 'handlers' | 'regions' | 'ordered' | 'archived';

/** Regions are compiled in batches as soon as they are seen again. */
const SOON = { seen: 1, most: 4, patience: 3 };

/** No interrupt ever comes; the task priority is a register like others. */
class SilentInterrupts implements InterruptController {
  taskPriority = 0;
  tscDeadline = 0n;
  hasInterrupt(): boolean {
    return false;
  }
  acknowledge(): number {
    return 0;
  }
  takeNmi(): boolean {
    return false;
  }
  readApicBase(): bigint {
    return 0xfee0_0900n;
  }
  writeApicBase(): boolean {
    return false;
  }
  readX2apic(): undefined {
    return undefined;
  }
  writeX2apic(): boolean {
    return false;
  }
}

/** A workshop on the same thread, which is asked twice before it has anything. */
export class SlowWorkshop implements RegionWorkshop {
  readonly #compiler: RegionCompiler;
  readonly #jobs: RegionJob[] = [];
  #asked = 0;

  constructor(place: WorkshopPlace) {
    this.#compiler = new RegionCompiler(place, () => 0);
  }

  submit(job: RegionJob): void {
    this.#jobs.push(job);
  }

  take(): RegionProduct | undefined {
    const job = this.#asked++ % 2 === 0 ? undefined : this.#jobs.shift();
    return job && this.#compiler.compile(job);
  }

  release(table: TablePlace): void {
    this.#compiler.release(table);
  }

  clear(): void {
    this.#compiler.clear();
  }
}

/** A compiler on the same thread, which is asked twice before it has anything. */
export class SlowBatchCompiler implements BatchCompiler {
  readonly archive: readonly KeptBatch[];
  readonly keeps = true;
  /** what it has compiled, as an archive for other machines */
  readonly kept: KeptBatch[] = [];
  #order:
    | { bytes: Uint8Array<ArrayBuffer>; regions: readonly (KeptRegion | undefined)[] }
    | undefined;
  #asked = 0;

  constructor(archive: readonly KeptBatch[] = []) {
    this.archive = archive;
  }

  submit(bytes: Uint8Array<ArrayBuffer>, regions: readonly (KeptRegion | undefined)[]): void {
    assert(this.#order === undefined, 'one module at a time');
    this.#order = { bytes, regions };
  }

  submitHandlers(): void {}

  take(): WebAssembly.Module | undefined {
    if (this.#order === undefined || this.#asked++ % 2 === 0) return undefined;
    const { bytes, regions } = this.#order;
    const module = new WebAssembly.Module(bytes);
    this.#order = undefined;
    this.kept.push({ regions, bytes: bytes.length, load: () => module });
    return module;
  }
}

/** How a run ended, and everything a guest could see of it. */
export interface Ending {
  readonly exit: VcpuExit;
  /** the state block, flags put together */
  readonly state: Uint8Array;
  readonly flags: number;
  readonly taskPriority: number;
  readonly memory: Uint8Array;
}

/** One engine's vCPU with a little memory, which runs one case after the other. */
export class CodeMachine {
  readonly name: EngineName;
  readonly vcpu: InterpVcpu | ReferenceVcpu;
  readonly #memory: GuestMemory;
  readonly #interrupts = new SilentInterrupts();
  readonly #now = new Uint8Array(RAM_BYTES);
  readonly batches: SlowBatchCompiler;

  /** @param openWorkshop of the engine `ordered` */
  constructor(
    name: EngineName,
    openWorkshop = (place: WorkshopPlace): RegionWorkshop => new SlowWorkshop(place),
    archive: readonly KeptBatch[] = [],
  ) {
    this.batches = new SlowBatchCompiler(archive);
    this.name = name;
    const pool = new FramePool(
      GuestMemory.poolBytes(RAM_BYTES) + ENGINE_POOL_BYTES + 64 * PAGE_BYTES + 2 ** 24,
    );
    this.#memory = new GuestMemory(pool, [{ start: 0, bytes: RAM_BYTES }]);
    const model = new CpuModel({
      features: parseCpu('max'),
      tscKhz: 1_000_000,
      apicId: 0,
      cpuCount: 1,
    });
    const host: VcpuHost = {
      memory: this.#memory,
      mmio: new Bus('mmio'),
      ports: new Bus('ports'),
      interrupts: this.#interrupts,
      model,
      readTsc: () => 0x1234_5678_9abcn,
      readMsr: () => undefined,
      writeMsr: () => false,
      hypercall: () => false,
    };
    const table = buildOpcodeTable(instructions);
    this.vcpu =
      name === 'reference'
        ? new ReferenceVcpu(host, table, helpers)
        : new InterpVcpu(host, table, helpers, {
            ...(name === 'handlers' ? {} : { regions: { ...EAGER_POLICY, batches: SOON } }),
            ...(name === 'ordered' ? { workshop: openWorkshop, batchCompiler: this.batches } : {}),
            ...(name === 'archived' ? { batchCompiler: this.batches } : {}),
          });
  }

  /** Runs from memory `image` and the state that `enter` gives, for about `budget` instructions. */
  run(image: Uint8Array, enter: (state: CpuState) => void, budget: number): Ending {
    this.#load(image);
    const { vcpu } = this;
    const { state } = vcpu;
    state.u8.fill(0, 0, STATE.bounce);
    state.set64(STATE.pat, 0x0007_0406_0007_0406n);
    this.#interrupts.taskPriority = 0;
    enter(state);
    vcpu.stateChanged();
    const exit = vcpu.run(budget);
    this.#memory.read(0, this.#now);
    return {
      exit,
      state: state.u8.slice(),
      flags: state.getFlags(),
      taskPriority: this.#interrupts.taskPriority,
      memory: this.#now,
    };
  }

  /** Writes the pages that differ from `image`. */
  #load(image: Uint8Array): void {
    this.#memory.read(0, this.#now);
    for (let page = 0; page < RAM_BYTES; page += PAGE_BYTES) {
      const wanted = image.subarray(page, page + PAGE_BYTES);
      if (Buffer.compare(wanted, this.#now.subarray(page, page + PAGE_BYTES)) === 0) continue;
      this.#memory.write(page, wanted);
    }
  }
}
