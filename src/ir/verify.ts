/**
 * Checks of a body that the emitters and the reference rely on.
 *
 * - Types: every argument has the type its op takes.
 * - Scope: a value is used after it is defined, in the block that defines it or inside that block.
 * - Precise faults: nothing that can fault stands behind an effect. An effect is a write of vCPU state
 *   or guest memory, or a helper; a fault behind it would leave the instruction half done.
 *
 * A `memory.loadForUpdate` that nothing completes is a probe: it faults in place of the stores behind
 * it, so that those may follow an effect.
 *
 * Left out: whether a probe looks where the stores write, whether a loop ends, and whether a helper keeps its own promises.
 */
import { accessType, decodeLoad } from './builder.ts';
import { type OpRow, ops } from './ops.ts';
import { printNode } from './print.ts';
import type { Block, Body, Node, Type } from './types.ts';

/** What a helper may do, as far as faults are concerned. */
export interface HelperTraits {
  /** argument types, checked when given */
  readonly params?: readonly Type[];
  readonly result?: Type | undefined;
  /** it only ever throws or does nothing: no effect */
  readonly checks?: boolean;
  /** it never throws: it may stand behind other effects */
  readonly total?: boolean;
}

export interface VerifyOptions {
  /** Traits of a helper by name; undefined for one that does not exist. Without it none is checked. */
  readonly helper?: (name: string) => HelperTraits | undefined;
  /** True for a state offset that is no architectural state: writing there is no effect. */
  readonly scratch?: (offset: number) => boolean;
}

/** Throws with every problem of `body`, one a line. */
export function verifyBody(body: Body, options: VerifyOptions = {}): void {
  const problems = problemsOf(body, options);
  if (problems.length > 0) throw new Error(`the body is not valid:\n${problems.join('\n')}`);
}

/** Every problem of `body`, each a sentence with the node it is about. */
export function problemsOf(body: Body, options: VerifyOptions = {}): string[] {
  const verifier = new Verifier(body, options);
  verifier.block(body.block, 'clean');
  return [...new Set(verifier.problems)];
}

/** What has happened on the way to a node: nothing, an effect, or the instruction has been left. */
type Progress = 'clean' | 'effect' | 'left';

/** Ops whose values every use computes anew: they have no scope. */
const REMATERIALIZED = new Set(['const', 'parameter', 'slot.offset']);

class Verifier {
  readonly problems: string[] = [];
  readonly #body: Body;
  readonly #helper: VerifyOptions['helper'];
  readonly #scratch: VerifyOptions['scratch'];
  readonly #visible = new Set<Node>();
  #isProbed = false;

  constructor(body: Body, options: VerifyOptions) {
    this.#body = body;
    this.#helper = options.helper;
    this.#scratch = options.scratch;
  }

  /** Checks the nodes of `block` in order and returns what has happened at its end. */
  block(block: Block, before: Progress): Progress {
    let progress = before;
    const defined: Node[] = [];
    for (const node of block) {
      progress = this.#node(node, progress);
      if (node.type !== undefined && !this.#visible.has(node)) {
        this.#visible.add(node);
        defined.push(node);
      }
    }
    for (const node of defined) this.#visible.delete(node);
    return progress;
  }

  #node(node: Node, progress: Progress): Progress {
    if (node.op !== 'loop') this.#scope(node);
    this.#types(node);
    switch (node.op) {
      case 'memory.load':
      case 'memory.loadForUpdate':
        this.#mayFault(node, progress);
        if (node.op === 'memory.loadForUpdate' && node.uses === 0) this.#isProbed = true;
        return progress;
      case 'memory.store':
        if (!this.#isProbed) this.#mayFault(node, progress);
        return effect(progress);
      case 'memory.storeBack':
        return effect(progress);
      case 'privilege':
        return effect(progress);
      case 'state.write':
        return this.#writesScratch(node) ? progress : effect(progress);
      case 'state.writeAt':
        return effect(progress);
      case 'fault':
        this.#mayFault(node, progress);
        return 'left';
      case 'helper': {
        const traits = this.#helper?.(node.imm as string);
        if (traits?.total !== true) this.#mayFault(node, progress);
        return traits?.checks === true ? progress : effect(progress);
      }
      case 'branch':
      case 'branch.relative':
        return 'left';
      case 'if': {
        const [then = [], otherwise = []] = node.blocks ?? [];
        return joined(this.block(then, progress), this.block(otherwise, progress));
      }
      case 'loop':
        return this.#loop(node, progress);
      default:
        return progress;
    }
  }

  #writesScratch({ field }: Node): boolean {
    return field?.kind === 'fixed' && this.#scratch?.(field.offset) === true;
  }

  /** A loop's body runs again with what its first run did; its condition belongs to the body. */
  #loop(node: Node, progress: Progress): Progress {
    const body = node.blocks?.[0] ?? [];
    const after = this.block(body, progress);
    const again = this.block(body, after);
    for (const arg of node.args) {
      const known = body.includes(arg) || this.#visible.has(arg) || REMATERIALIZED.has(arg.op);
      if (!known) this.#complain('the loop condition comes from outside its body', node);
      if (arg.type !== 'i32') this.#complain('the condition is not an i32', node);
    }
    return again;
  }

  #scope(node: Node): void {
    for (const arg of node.args) {
      if (REMATERIALIZED.has(arg.op) || this.#visible.has(arg)) continue;
      this.#complain(`${arg.op} is used outside the block that defines it`, node);
    }
  }

  #mayFault(node: Node, progress: Progress): void {
    if (progress === 'effect') this.#complain('a fault is possible after an effect', node);
  }

  #types(node: Node): void {
    const wrong = this.#typeProblem(node);
    if (wrong !== undefined) this.#complain(wrong, node);
  }

  #typeProblem(node: Node): string | undefined {
    const types = node.args.map((arg) => arg.type);
    switch (node.op) {
      case 'const':
        return constantProblem(node);
      case 'parameter':
      case 'slot.offset':
      case 'loop':
      case 'fault':
      case 'privilege':
      case 'branch.relative':
        return undefined;
      case 'state.read':
        return expect(
          [node.type],
          [node.access === undefined ? undefined : accessType(node.access)],
        );
      case 'state.readAt':
        return expect(types, ['i32']);
      case 'state.writeAt':
        return expect(types, [
          'i32',
          node.access === undefined ? undefined : accessType(node.access),
        ]);
      case 'state.write':
        return expect(types, [node.access === undefined ? undefined : accessType(node.access)]);
      case 'memory.load':
      case 'memory.loadForUpdate':
        return expect([...types, node.type], ['i64', memoryType(node)]);
      case 'memory.store':
        return expect(types, ['i64', memoryType(node)]);
      case 'memory.storeBack':
        return this.#storeBackProblem(node);
      case 'local.get':
        return expect([node.type], [this.#body.locals[node.imm as number]]);
      case 'local.set':
        return expect(types, [this.#body.locals[node.imm as number]]);
      case 'select':
        return expect(types, ['i32', node.type, node.type]);
      case 'if':
        return expect(types, ['i32']);
      case 'branch':
        return expect(types, ['i64']);
      case 'helper':
      case 'call':
        return this.#helperProblem(node);
      default:
        return pureProblem(node, ops[node.op]);
    }
  }

  #storeBackProblem(node: Node): string | undefined {
    const loaded = node.args[0];
    if (loaded?.op !== 'memory.loadForUpdate') return 'storeBack without its loadForUpdate';
    if (decodeLoad(loaded.imm).width !== decodeLoad(node.imm).width) {
      return 'storeBack and its loadForUpdate differ in width';
    }
    return expect([node.args[1]?.type], ['i64']);
  }

  #helperProblem(node: Node): string | undefined {
    if (this.#helper === undefined) return undefined;
    const name = node.imm as string;
    const traits = this.#helper(name);
    if (traits === undefined) return `there is no helper ${name}`;
    if (node.op === 'call' && traits.result !== node.type) {
      return `${name} gives ${traits.result ?? 'nothing'}, not ${node.type}`;
    }
    if (node.op === 'helper' && traits.result !== undefined) {
      return `${name} gives ${traits.result}, which is dropped`;
    }
    if (traits.params === undefined) return undefined;
    return expect(
      node.args.map((arg) => arg.type),
      traits.params,
    );
  }

  #complain(what: string, node: Node): void {
    this.problems.push(`${what}: ${printNode(node)}`);
  }
}

function effect(progress: Progress): Progress {
  return progress === 'left' ? 'left' : 'effect';
}

/** What can have happened after either of two ways. */
function joined(left: Progress, right: Progress): Progress {
  if (left === 'left') return right;
  if (right === 'left') return left;
  return left === 'effect' ? left : right;
}

function memoryType(node: Node): Type {
  return decodeLoad(node.imm).width === 128 ? 'v128' : 'i64';
}

function expect(
  found: readonly (Type | undefined)[],
  expected: readonly (Type | undefined)[],
): string | undefined {
  const list = (types: readonly (Type | undefined)[]): string =>
    types.map((type) => type ?? 'nothing').join(', ');
  if (list(found) === list(expected) && !expected.includes(undefined)) return undefined;
  return `takes (${list(expected)}) but has (${list(found)})`;
}

function constantProblem(node: Node): string | undefined {
  const { imm, type } = node;
  switch (type) {
    case 'i32':
      return Number.isInteger(imm) && imm === ((imm as number) | 0) ? undefined : 'not an int32';
    case 'i64':
      return typeof imm === 'bigint' && imm === BigInt.asUintN(64, imm)
        ? undefined
        : 'not an unsigned 64-bit number';
    case 'v128':
      return imm instanceof Uint8Array && imm.length === 16 ? undefined : 'not sixteen bytes';
    default:
      return typeof imm === 'number' ? undefined : 'not a number';
  }
}

function pureProblem(node: Node, row: OpRow | undefined): string | undefined {
  if (row === undefined) return `there is no op ${node.op}`;
  if (row.lane === 'lane' && !Number.isInteger(node.imm)) return 'a lane op without its lane';
  return expect([...node.args.map((arg) => arg.type), node.type], [...row.args, row.type]);
}
