/**
 * What `--trace` shows of the translator: where the guest's instructions are spent, and for chosen regions
 * the guest's assembly beside the WebAssembly that it became. A region that is traced carries marks, a
 * constant that is dropped again, in front of each guest instruction; the compiler of the host removes them.
 */
import type { FunctionWriter } from '../../wasm/mod.ts';
import type { RegionGraph, RegionInstruction } from './graph.ts';
import { assemblyOf } from './trace-assembly.ts';
import { wasmLines } from './trace-wasm.ts';

/** Upper half of the constants that are marks. */
const MARK = 0x5649_0000;
const MARKS = 0x1_0000;
/** Places that are remembered, and how many of them the table of the hottest shows. */
const MAX_PLACES = 200_000;
const SHOWN = 40;

/** What to show: the regions that contain an address, or so many of the hottest. */
export type TraceRequest =
  | { readonly kind: 'address'; readonly address: bigint }
  | { readonly kind: 'hottest'; readonly count: number };

/** `hottest`, `hottest=5`, `0xffffffff81000000`; undefined when it is none of these. */
export function parseTrace(text: string): TraceRequest | undefined {
  const hottest = /^hottest(?:=([1-9]\d{0,3}))?$/.exec(text);
  if (hottest !== null) return { kind: 'hottest', count: Number(hottest[1] ?? 1) };
  if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) return undefined;
  const address = BigInt(text);
  return address < 2n ** 64n ? { kind: 'address', address } : undefined;
}

/** Marks the place in `f` where the code of an instruction begins. */
export function markInstruction(
  f: FunctionWriter,
  marks: RegionInstruction[],
  instruction: RegionInstruction,
): void {
  if (marks.length === MARKS) return;
  f.i32Const(MARK | marks.length).drop();
  marks.push(instruction);
}

interface Traced {
  readonly start: bigint;
  readonly base: bigint;
  readonly graph: RegionGraph;
  readonly marks: readonly RegionInstruction[];
  readonly code: Uint8Array;
  made: number;
}

/** Collects what a vCPU translates, and where its samples fall. */
export class RegionTrace {
  readonly #request: TraceRequest;
  readonly #places = new Map<bigint, { instructions: number; isRegion: boolean }>();
  readonly #regions = new Map<bigint, Traced>();
  #instructions = 0;

  constructor(request: TraceRequest) {
    this.#request = request;
  }

  /** A slice of `instructions` ended at the linear address (low, high). */
  sample(low: number, high: number, instructions: number, isRegion: boolean): void {
    const address = linearAddress(low, high);
    this.#instructions += instructions;
    const place = this.#places.get(address);
    if (place !== undefined) {
      place.instructions += instructions;
      place.isRegion = isRegion;
    } else if (this.#places.size < MAX_PLACES)
      this.#places.set(address, { instructions, isRegion });
  }

  /** A region was made: `base` is the linear address of its base page, `code` its function. */
  made(base: bigint, graph: RegionGraph, marks: RegionInstruction[], code: Uint8Array): void {
    const first = graph.root.instructions[0];
    if (first === undefined) return;
    const start = BigInt.asUintN(64, base + BigInt(first.at));
    const earlier = this.#regions.get(start)?.made ?? 0;
    this.#regions.set(start, { start, base, graph, marks, code, made: earlier + 1 });
  }

  /** The whole report. */
  report(): string {
    const chosen = this.#chosen();
    const none =
      this.#request.kind === 'address'
        ? `No region contains ${hex(this.#request.address)}: it was never hot, or never 64-bit code.`
        : 'No region was made.';
    return [
      this.#profile(),
      ...(chosen.length === 0 ? [none] : chosen.map((region) => this.#listing(region))),
      '',
    ].join('\n\n');
  }

  #chosen(): Traced[] {
    const all = [...this.#regions.values()];
    const request = this.#request;
    if (request.kind === 'address') return all.filter((each) => contains(each, request.address));
    return all
      .sort((left, right) => this.#share(right.start) - this.#share(left.start))
      .slice(0, request.count);
  }

  /** Part of all sampled instructions that fell on a place. */
  #share(address: bigint): number {
    return (this.#places.get(address)?.instructions ?? 0) / Math.max(1, this.#instructions);
  }

  #profile(): string {
    const sorted = [...this.#places].sort(([, a], [, b]) => b.instructions - a.instructions);
    const inRegions = sorted.reduce(
      (sum, [, { isRegion, instructions }]) => sum + (isRegion ? instructions : 0),
      0,
    );
    const lines = sorted.slice(0, SHOWN).map(([address, { isRegion }]) => {
      const region = this.#regions.get(address);
      const what = !isRegion
        ? 'handlers'
        : region === undefined
          ? 'region'
          : `region of ${region.graph.instructionCount} instructions, ${region.code.length} bytes of WebAssembly`;
      return `${percent(this.#share(address)).padStart(7)}  ${hex(address)}  ${what}`;
    });
    const title =
      'Where instructions were spent, by where their slices ended ' +
      `(${percent(inRegions / Math.max(1, this.#instructions))} at regions):`;
    return [title, ...lines].join('\n');
  }

  #listing({ start, base, graph, marks, code, made }: Traced): string {
    const bytes = new Set(marks.map(({ at }) => at)).size;
    const title =
      `Region at ${hex(start)}: ${percent(this.#share(start))} of the samples, ` +
      `${graph.instructionCount} guest instructions (${bytes} of them different) in ${graph.blocks.length} ` +
      `blocks, ${code.length} bytes of WebAssembly, made ${made === 1 ? 'once' : `${made} times`}`;
    const lines: string[] = [title];
    const text = wasmLines(code);
    for (let index = 0; index < text.length; index++) {
      const { depth, text: line, constant } = text[index] as (typeof text)[number];
      const indent = '  '.repeat(depth + 1);
      const marked =
        constant !== undefined && (constant & 0xffff_0000) === MARK
          ? marks[constant & 0xffff]
          : undefined;
      if (marked === undefined) {
        lines.push(`${indent}${line}`);
        continue;
      }
      const address = BigInt.asUintN(64, base + BigInt(marked.at));
      lines.push(`${hex(address)}: ${assemblyOf(marked, base)}`);
      index++; // the drop
    }
    return lines.join('\n');
  }
}

function contains({ base, graph }: Traced, address: bigint): boolean {
  return graph.blocks.some(({ instructions }) =>
    instructions.some(({ at, length }) => {
      const start = BigInt.asUintN(64, base + BigInt(at));
      return address >= start && address < start + BigInt(length);
    }),
  );
}

function linearAddress(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function hex(address: bigint): string {
  return `0x${address.toString(16).padStart(16, '0')}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
