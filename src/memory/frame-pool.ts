import { assert, VivariumError } from '../util/mod.ts';

/** Size of a page and of a frame. */
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;

const WASM_PAGE_BYTES = 65_536;
/** memory32 ends here. */
const LINEAR_LIMIT_BYTES = 4 * 2 ** 30;

/**
 * One `WebAssembly.Memory` cut into areas: vCPU blocks, code caches and the frames of guest memory.
 * The whole capacity is reserved at once; the host backs a page only when it is first touched, so
 * capacity costs address space, not memory. A pool is one trust domain.
 */
export class FramePool {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  #end: number;
  #next = WASM_PAGE_BYTES; // offset 0 stays unused, so that 0 can mean 'nothing'

  /** @param capacityBytes room for every area that will be reserved */
  constructor(capacityBytes: number, options: { shared?: boolean } = {}) {
    const pages = Math.ceil((capacityBytes + WASM_PAGE_BYTES) / WASM_PAGE_BYTES);
    if (pages * WASM_PAGE_BYTES > LINEAR_LIMIT_BYTES - WASM_PAGE_BYTES) {
      throw new VivariumError(
        'memory-too-large',
        `a machine's memory and code cache must fit 4 GiB together; ${Math.ceil(capacityBytes / 2 ** 20)} MiB do not. Choose a smaller --memory.`,
      );
    }
    try {
      this.memory = new WebAssembly.Memory({
        initial: pages,
        maximum: pages,
        shared: options.shared ?? true,
      });
    } catch (cause) {
      throw new VivariumError(
        'memory-unavailable',
        `the host cannot reserve ${Math.ceil(capacityBytes / 2 ** 20)} MiB of address space. Choose a smaller --memory.`,
        { cause },
      );
    }
    const buffer = this.memory.buffer;
    this.bytes = new Uint8Array(buffer);
    this.#end = this.bytes.length;
    this.words = new Int32Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Reserves `bytes` of zeroed linear memory, page-aligned, for good. Returns the offset. */
  reserve(bytes: number): number {
    const offset = this.#next;
    this.#next = Math.ceil((offset + bytes) / PAGE_BYTES) * PAGE_BYTES;
    assert(this.#next <= this.#end, 'frame pool capacity exceeded');
    return offset;
  }

  /**
   * Reserves like `reserve`, from the upper end. Guest frames lie there, so that vCPU blocks, TLBs and code
   * stay below 2 GiB whatever the guest's size: their offsets are used as signed numbers.
   */
  reserveHigh(bytes: number): number {
    this.#end = Math.floor((this.#end - bytes) / PAGE_BYTES) * PAGE_BYTES;
    assert(this.#next <= this.#end, 'frame pool capacity exceeded');
    return this.#end;
  }
}
