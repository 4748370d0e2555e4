/** A process that is one machine of v86, a multiboot kernel in it, with its serial line on standard output. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** As far as it is used here; the package has types for browsers only. */
interface Emulator {
  add_listener(event: string, listener: (value: number) => void): void;
}
type V86Module = { readonly V86: new (options: Record<string, unknown>) => Emulator };

const MIB = 2 ** 20;
const [kernel = ''] = process.argv.slice(2);
const program = createRequire(import.meta.url).resolve('v86');
const { V86 } = (await import(program)) as unknown as V86Module;
const bytes = readFileSync(kernel);
const emulator = new V86({
  wasm_path: join(dirname(program), 'v86.wasm'),
  memory_size: 64 * MIB,
  vga_memory_size: 2 * MIB,
  multiboot: { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
let text = '';
emulator.add_listener('serial0-output-byte', (byte) => {
  const letter = String.fromCharCode(byte);
  process.stdout.write(letter);
  text += letter;
  if (text.endsWith('@done@\n')) process.exit(0);
});
