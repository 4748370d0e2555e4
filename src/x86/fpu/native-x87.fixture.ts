import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One instruction with the state it starts from. */
export interface X87Case {
  /** at most eight bytes; a memory operand is [rsi] */
  readonly code: readonly number[];
  readonly memory: Uint8Array;
  readonly control: number;
  readonly status: number;
  /** bit i: physical register i is not empty */
  readonly tags: number;
  /** ST(0) to ST(7), sixteen bytes each */
  readonly stack: Uint8Array;
  readonly flags: number;
}

export interface X87Result {
  readonly memory: Uint8Array;
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly stack: Uint8Array;
  readonly flags: number;
}

const INPUT_BYTES = 168;
const OUTPUT_BYTES = 160;

/** Why the host cannot serve as an oracle, or undefined. */
export function missingHost(): string | undefined {
  if (process.arch !== 'x64') return `the host is ${process.arch}, not x64`;
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'gcc is not installed';
  }
}

/** Compiles the harness and runs `cases` on the host's processor. */
export function runOnHost(cases: readonly X87Case[]): X87Result[] {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-x87-'));
  try {
    const program = join(folder, 'native-x87');
    const source = fileURLToPath(new URL('./native-x87.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-mno-red-zone', '-o', program, source]);
    const input = new Uint8Array(cases.length * INPUT_BYTES);
    cases.forEach((one, i) => {
      encode(one, input.subarray(i * INPUT_BYTES, (i + 1) * INPUT_BYTES));
    });
    const maxBuffer = cases.length * OUTPUT_BYTES + 1024;
    const output = new Uint8Array(execFileSync(program, { input, maxBuffer }));
    return cases.map((_, i) => decode(output.subarray(i * OUTPUT_BYTES, (i + 1) * OUTPUT_BYTES)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function encode(one: X87Case, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  bytes.fill(0x90, 0, 8);
  bytes.set(one.code, 0);
  bytes.set(one.memory, 8);
  view.setUint16(24, one.control, true);
  view.setUint16(26, one.status, true);
  view.setUint16(28, one.tags, true);
  bytes.set(one.stack, 32);
  view.setBigUint64(160, BigInt(one.flags), true);
}

function decode(bytes: Uint8Array): X87Result {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    memory: bytes.slice(0, 16),
    control: view.getUint16(16, true),
    status: view.getUint16(18, true),
    tags: view.getUint16(20, true),
    stack: bytes.slice(24, 152),
    flags: Number(view.getBigUint64(152, true)),
  };
}
