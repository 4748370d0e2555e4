import { buildOpcodeTable, DECODED, Decoder, instructions } from '../../src/x86/mod.ts';
import { type Template, templatesOf } from './templates.ts';

const decoder = new Decoder(buildOpcodeTable(instructions), () => true);
const templates = new Map(templatesOf(instructions).map((each) => [each.form, each]));
const MODES = {
  32: { bits: 32, stackSize: 32, real: false },
  64: { bits: 64, stackSize: 64, real: false },
} as const;

/** An instruction as our decoder sees it. */
export interface Decoded {
  readonly template: Template;
  readonly length: number;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  readonly repeated: boolean;
  readonly vectorLength: 128 | 256 | undefined;
}

/** The instruction at `bytes[at]`, or undefined when our decoder takes it for none. */
export function decodeAt(bytes: Uint8Array, at: number, bits: 32 | 64): Decoded | undefined {
  if (decoder.decode(bytes, at, bytes.length, MODES[bits]) !== DECODED) return undefined;
  const template = templates.get(decoder.encoding.form);
  if (template === undefined) throw new Error('a form without a template');
  const { length, operandSize, addressSize, repeat, vectorLength } = decoder;
  return { template, length, operandSize, addressSize, repeated: repeat !== 'none', vectorLength };
}
