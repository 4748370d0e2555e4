import { STATE_BYTES, WIRE } from './layout.ts';

const NAMES =
  'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip rflags fsBase gsBase'.split(
    ' ',
  );

/** The processor state a case starts with, or ends with, in the harness's layout. */
export class ProcessorState {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(STATE_BYTES)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, STATE_BYTES);
  }

  copy(): ProcessorState {
    return new ProcessorState(this.bytes.slice());
  }

  get64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }
  set64(at: number, value: bigint): void {
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
  gpr(index: number): bigint {
    return this.get64(WIRE.gpr + 8 * index);
  }
  setGpr(index: number, value: bigint): void {
    this.set64(WIRE.gpr + 8 * index, value);
  }
  get rip(): bigint {
    return this.get64(WIRE.rip);
  }
  set rip(value: bigint) {
    this.set64(WIRE.rip, value);
  }
  get rflags(): number {
    return this.view.getUint32(WIRE.rflags, true);
  }
  set rflags(value: number) {
    this.set64(WIRE.rflags, BigInt(value >>> 0));
  }
  get mxcsr(): number {
    return this.view.getUint32(WIRE.mxcsr, true);
  }
  set mxcsr(value: number) {
    this.view.setUint32(WIRE.mxcsr, value, true);
  }
  get16(at: number): number {
    return this.view.getUint16(at, true);
  }
  set16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  /** One line for each field that differs from `other`: `rax 0x1 0x2`. */
  differences(other: ProcessorState): string[] {
    if (Buffer.compare(this.bytes, other.bytes) === 0) return [];
    const lines: string[] = [];
    NAMES.forEach((name, i) => {
      const [mine, its] = [this.get64(8 * i), other.get64(8 * i)];
      if (mine !== its) lines.push(`${name} ${hex(mine)} ${hex(its)}`);
    });
    for (const [name, at, width] of [
      ['mxcsr', WIRE.mxcsr, 4],
      ['fcw', WIRE.fcw, 2],
      ['fsw', WIRE.fsw, 2],
      ['ftw', WIRE.ftw, 2],
      ...Array.from({ length: 8 }, (_, i) => [`st${i}`, WIRE.st + 16 * i, 10] as const),
      ...Array.from({ length: 16 }, (_, i) => [`ymm${i}`, WIRE.ymm + 32 * i, 32] as const),
    ] as const) {
      const [mine, its] = [
        littleEndian(this.bytes, at, width),
        littleEndian(other.bytes, at, width),
      ];
      if (mine !== its) lines.push(`${name} ${mine} ${its}`);
    }
    return lines;
  }
}

export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** Bytes as one number, most significant digit first. */
function littleEndian(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let i = length - 1; i >= 0; i--) text += (bytes[at + i] ?? 0).toString(16).padStart(2, '0');
  return text;
}
