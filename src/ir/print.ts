import { decodeLoad } from './builder.ts';
import type { Block, Body, FieldRef, Immediate, Node } from './types.ts';

export interface PrintOptions {
  /** Name of the state field at a fixed offset (`rax`, `flagZ`); without one the offset is printed. */
  readonly fieldName?: (offset: number) => string | undefined;
}

/**
 * The readable text of a body, one node a line. Constants stand where they are used; other values are
 * numbered in program order.
 *
 *     %0 = state.read i64.32s [a]
 *     %1 = memory.load 32s %0
 *     %2 = i64.add %0, %1
 *     if %3 {
 *       fault 13(0x0)
 *     }
 *     state.write i64 [flagZ], %2
 */
export function printBody(body: Body, options: PrintOptions = {}): string {
  const printer = new Printer(options);
  const locals = body.locals.map((type, i) => `local $${i} ${type}\n`).join('');
  return locals + printer.block(body.block, '');
}

/** One node's line, values named by `printBody`'s rule within this node alone; for messages. */
export function printNode(node: Node, options: PrintOptions = {}): string {
  return new Printer(options).line(node);
}

class Printer {
  readonly #fieldName: (offset: number) => string | undefined;
  readonly #names = new Map<Node, string>();

  constructor(options: PrintOptions) {
    this.#fieldName = options.fieldName ?? (() => undefined);
  }

  block(block: Block, indent: string): string {
    let text = '';
    for (const node of block) {
      if (node.op === 'const') continue;
      text += `${indent}${this.line(node)}`;
      if (node.blocks === undefined) {
        text += '\n';
        continue;
      }
      const [first = [], second = []] = node.blocks;
      text += ` {\n${this.block(first, `${indent}  `)}${indent}}`;
      if (second.length > 0) text += ` else {\n${this.block(second, `${indent}  `)}${indent}}`;
      // A loop's condition is computed in its body and stands at its end.
      if (node.op === 'loop') text += ` while ${this.#args(node)}`;
      text += '\n';
    }
    return text;
  }

  line(node: Node): string {
    if (node.op === 'loop') return 'loop';
    const args = this.#args(node);
    const text = [this.#head(node), args].filter((part) => part !== '').join(' ');
    return node.type === undefined ? text : `${this.#name(node)} = ${text}`;
  }

  /** Everything of a node but its arguments. */
  #head(node: Node): string {
    const { op, imm } = node;
    switch (op) {
      case 'state.read':
        return `${op} ${node.access} ${this.#field(node.field)}`;
      case 'state.write':
        return `${op} ${node.access} ${this.#field(node.field)},`;
      case 'slot.offset':
        return `${op} ${this.#field(node.field)}`;
      case 'memory.load':
      case 'memory.loadForUpdate': {
        const { width, signed } = decodeLoad(imm);
        return `${op} ${width}${signed ? 's' : 'u'}`;
      }
      case 'memory.store':
      case 'memory.storeBack':
        return `${op} ${decodeLoad(imm).width}`;
      case 'local.get':
        return `$${imm}`;
      case 'local.set':
        return `$${imm} =`;
      case 'fault':
        return `fault ${(imm as number) >>> 16}(0x${((imm as number) & 0xffff).toString(16)})`;
      default:
        return imm === undefined ? op : `${op} ${printImmediate(imm)}`;
    }
  }

  #field(field: FieldRef | undefined): string {
    if (field === undefined) return '[?]';
    if (field.kind === 'fixed') return `[${this.#fieldName(field.offset) ?? field.offset}]`;
    return field.displacement === 0 ? `[${field.slot}]` : `[${field.slot} + ${field.displacement}]`;
  }

  #args(node: Node): string {
    return node.args.map((arg) => this.#value(arg)).join(', ');
  }

  #value(node: Node): string {
    return node.op === 'const' ? printImmediate(node.imm) : this.#name(node);
  }

  #name(node: Node): string {
    let name = this.#names.get(node);
    if (name === undefined) {
      name = `%${this.#names.size}`;
      this.#names.set(node, name);
    }
    return name;
  }
}

function printImmediate(imm: Immediate): string {
  if (typeof imm === 'bigint') return `0x${imm.toString(16)}`;
  if (imm instanceof Uint8Array) {
    return `x${Array.from(imm, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }
  return String(imm);
}
