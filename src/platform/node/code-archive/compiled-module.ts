/**
 * Machine code of WebAssembly modules as bytes. V8 has no public function for it; its own tests use two of its runtime's,
 * which every build of V8 has. Their parameters differ from version to version, and V8 ends the process when they are not
 * right, so other versions do without.
 */
import { setFlagsFromString } from 'node:v8';

const VERSION = 13;

interface Runtime {
  serialize(module: WebAssembly.Module): ArrayBuffer;
  /** undefined: compiled by another version of V8, with other options or for another processor */
  deserialize(code: ArrayBuffer, bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module | undefined;
}

let runtime: Runtime | undefined;

/** Whether this host's machine code can be kept. */
export function canKeepCode(v8 = process.versions.v8): boolean {
  return Number.parseInt(v8, 10) === VERSION;
}

function openRuntime(): Runtime {
  if (runtime !== undefined) return runtime;
  setFlagsFromString('--allow-natives-syntax');
  // V8 reads these names only in code that is compiled after the line above.
  runtime = {
    serialize: new Function('module', 'return %SerializeWasmModule(module)'),
    deserialize: new Function('code', 'bytes', 'return %DeserializeWasmModule(code, bytes)'),
  } as unknown as Runtime;
  return runtime;
}

/** Sets the options of V8 that machine code depends on: before anything is compiled that shall be kept or found again. */
export function prepareToKeepCode(): void {
  openRuntime();
}

/** The machine code of a module that was compiled by V8's best compiler. */
export function machineCodeOf(module: WebAssembly.Module): Uint8Array<ArrayBuffer> {
  return new Uint8Array(openRuntime().serialize(module));
}

/** The module of `bytes`, whose machine code is `code`, all of its buffer; undefined where that does not fit. */
export function moduleOf(
  code: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): WebAssembly.Module | undefined {
  return openRuntime().deserialize(code.buffer, bytes);
}
