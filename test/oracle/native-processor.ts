import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Case, Change, Outcome } from './case.ts';
import {
  CODE_ROOM,
  DATA_BYTES,
  HEADER_BYTES,
  INPUT_BYTES,
  INPUT_HEADER_BYTES,
  MAGIC,
  OUTPUT_BYTES,
  PATCH_ROOM,
  PATCHES,
  STATE_BYTES,
} from './layout.ts';
import type { Processor, Vendor } from './processor.ts';
import { ProcessorState } from './processor-state.ts';

const SOURCE = resolve(import.meta.dirname, 'native/harness.c');
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/vivarium/oracle');

/** Executes cases on the host's own processor, by a small C program compiled at first use. */
export class NativeProcessor implements Processor {
  readonly name = 'host';
  readonly vendor: Vendor;
  readonly #program: string;
  /** Features of the host's processor, named as in Linux's cpuinfo. */
  readonly features: ReadonlySet<string>;

  private constructor(program: string, description: string) {
    this.#program = program;
    this.features = new Set(fieldOf(description, 'flags').split(/\s+/));
    this.vendor = /AMD|Hygon/.test(fieldOf(description, 'vendor_id')) ? 'amd' : 'intel';
  }

  /** The native processor, or the reason why this host cannot be asked. */
  static open(): NativeProcessor | string {
    if (process.arch !== 'x64' || process.platform !== 'linux') {
      return `needs an x86-64 Linux host, this is ${process.platform} on ${process.arch}`;
    }
    const program = compile();
    if (!existsSync(program)) return program;
    const native = new NativeProcessor(program, readFileSync('/proc/cpuinfo', 'utf8'));
    const probe = spawnSync(program, { input: encodeHeader(new Uint8Array(DATA_BYTES), 0) });
    return probe.status === 0 ? native : String(probe.stderr).trim() || 'the harness does not run';
  }

  /**
   * Runs `cases` in order; each starts from `data` (DATA_BYTES) plus its patches, and is cut off after `patience`
   * ticks of 20 ms.
   */
  run(cases: readonly Case[], data: Uint8Array, patience = 1): Outcome[] {
    const input = new Uint8Array(HEADER_BYTES + cases.length * INPUT_BYTES);
    input.set(encodeHeader(data, cases.length));
    for (const [i, each] of cases.entries()) {
      encodeCase(input, HEADER_BYTES + i * INPUT_BYTES, each);
    }
    const { status, signal, stdout, stderr } = spawnSync(this.#program, [String(patience)], {
      input,
      maxBuffer: 1 << 30,
    });
    if (status !== 0) {
      throw new Error(`the harness failed (${signal ?? status}): ${String(stderr).trim()}`);
    }
    // a Buffer's slices would share its memory
    const output = new Uint8Array(stdout.buffer, stdout.byteOffset, stdout.length);
    return decodeOutcomes(output, cases.length);
  }
}

/** Path of the compiled harness, or a sentence saying why there is none. */
function compile(): string {
  const key = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16);
  const program = join(CACHE, `harness-${key}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const draft = `${program}.${process.pid}`;
  const gcc = spawnSync('gcc', ['-O2', '-Wall', '-Werror', '-o', draft, SOURCE]);
  if (gcc.error !== undefined) return 'needs gcc';
  if (gcc.status !== 0) throw new Error(`gcc refuses ${SOURCE}:\n${gcc.stderr}`);
  renameSync(draft, program);
  return program;
}

/** What Linux' cpuinfo says under `name`. */
function fieldOf(description: string, name: string): string {
  return new RegExp(`^${name}\\s*:(.*)$`, 'm').exec(description)?.[1]?.trim() ?? '';
}

function encodeHeader(data: Uint8Array, count: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  header.set(data, 8);
  return header;
}

function encodeCase(input: Uint8Array, start: number, each: Case): void {
  const view = new DataView(input.buffer, start, INPUT_BYTES);
  if (each.code.length > CODE_ROOM || each.patches.length > PATCHES) {
    throw new Error('a case is too large');
  }
  view.setUint32(0, each.code.length, true);
  view.setUint32(4, each.patches.length, true);
  view.setBigUint64(8, BigInt(each.codeAddress), true);
  view.setUint32(16, each.bits, true);
  input.set(each.state.bytes, start + INPUT_HEADER_BYTES);
  input.set(each.code, start + INPUT_HEADER_BYTES + STATE_BYTES);
  each.patches.forEach((patch, i) => {
    const at = INPUT_HEADER_BYTES + STATE_BYTES + CODE_ROOM + i * (8 + PATCH_ROOM);
    view.setUint32(at, patch.offset, true);
    view.setUint32(at + 4, patch.bytes.length, true);
    input.set(patch.bytes, start + at + 8);
  });
}

function decodeOutcomes(output: Uint8Array, count: number): Outcome[] {
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  const outcomes: Outcome[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const changes: Change[] = [];
    const changeCount = view.getUint32(at + 16 + STATE_BYTES, true);
    for (let j = 0; j < changeCount; j++) {
      const change = at + OUTPUT_BYTES + 16 * j;
      changes.push({
        offset: view.getUint32(change, true),
        value: view.getBigUint64(change + 8, true),
      });
    }
    outcomes.push({
      vector: view.getInt32(at, true),
      errorCode: view.getUint32(at + 4, true),
      faultAddress: view.getBigUint64(at + 8, true),
      state: new ProcessorState(output.subarray(at + 16, at + 16 + STATE_BYTES)),
      changes,
    });
    at += OUTPUT_BYTES + 16 * changeCount;
  }
  return outcomes;
}
