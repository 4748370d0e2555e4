import { decodeLoad } from './builder.ts';
import { type Datum, opRow } from './ops.ts';
import type { Access, Block, Body, FieldRef, Node, Parameter } from './types.ts';

/** What the reference evaluator runs against: a vCPU's state and its view of memory. */
export interface Environment {
  readState(field: FieldRef, access: Access): Datum;
  writeState(field: FieldRef, access: Access, value: Datum): void;
  parameter(which: Parameter): Datum;
  /** `update`: checks for a write too. Widths to 64 give an unsigned bigint, 128 sixteen bytes. Throws on faults. */
  load(address: bigint, width: number, update: boolean): Datum;
  store(address: bigint, width: number, value: Datum): void;
  /** Effect helper; throws on faults. Returns true when the instruction stream was redirected. */
  helper(name: string, args: Datum[]): boolean;
  call(name: string, args: Datum[]): Datum;
  /** Throws. */
  fault(vector: number, errorCode: number): never;
  /** CPL or EFLAGS.AC was written. */
  privilegeChanged(): void;
  branchRelative(): void;
  branch(rip: bigint): void;
}

/** Leaves the instruction from inside nested blocks. */
const LEAVE = Symbol('leave');

/** Evaluates one instruction's body: slow, simple, and our own oracle for the emitters. */
export function evaluate(body: Body, environment: Environment): void {
  const values = new Map<Node, Datum>();
  const locals: Datum[] = body.locals.map((type) =>
    type === 'i64' ? 0n : type === 'v128' ? new Uint8Array(16) : 0,
  );
  run(body.block, values, locals, environment);
}

function run(
  block: Block,
  values: Map<Node, Datum>,
  locals: Datum[],
  env: Environment,
): typeof LEAVE | undefined {
  for (const node of block) {
    const args = node.args.map((arg) => values.get(arg) as Datum);
    switch (node.op) {
      case 'const':
        values.set(node, node.imm as Datum);
        break;
      case 'parameter':
        values.set(node, env.parameter(node.imm as Parameter));
        break;
      case 'slot.offset':
        throw new Error('Vivarium internal error: the reference evaluates known operands only');
      case 'state.readAt': {
        const field = { kind: 'fixed', offset: args[0] as number } as const;
        values.set(node, env.readState(field, node.access as Access));
        break;
      }
      case 'state.writeAt': {
        const field = { kind: 'fixed', offset: args[0] as number } as const;
        env.writeState(field, node.access as Access, args[1] as Datum);
        break;
      }
      case 'state.read':
        values.set(node, env.readState(node.field as FieldRef, node.access as Access));
        break;
      case 'state.write':
        env.writeState(node.field as FieldRef, node.access as Access, args[0] as Datum);
        break;
      case 'memory.load':
      case 'memory.loadForUpdate': {
        const { width, signed } = decodeLoad(node.imm);
        const value = env.load(args[0] as bigint, width, node.op === 'memory.loadForUpdate');
        values.set(
          node,
          signed && width < 64 ? BigInt.asUintN(64, BigInt.asIntN(width, value as bigint)) : value,
        );
        break;
      }
      case 'memory.store':
        env.store(args[0] as bigint, decodeLoad(node.imm).width, args[1] as Datum);
        break;
      case 'memory.storeBack': {
        const address = values.get(node.args[0]?.args[0] as Node) as bigint;
        env.store(address, decodeLoad(node.imm).width, args[1] as Datum);
        break;
      }
      case 'local.get':
        values.set(node, locals[node.imm as number] as Datum);
        break;
      case 'local.set':
        locals[node.imm as number] = args[0] as Datum;
        break;
      case 'select':
        values.set(node, (args[0] !== 0 ? args[1] : args[2]) as Datum);
        break;
      case 'if':
        if (run(node.blocks?.[args[0] !== 0 ? 0 : 1] ?? [], values, locals, env) === LEAVE)
          return LEAVE;
        break;
      case 'loop':
        do {
          if (run(node.blocks?.[0] ?? [], values, locals, env) === LEAVE) return LEAVE;
        } while (values.get(node.args[0] as Node) !== 0);
        break;
      case 'helper':
        if (env.helper(node.imm as string, args)) return LEAVE;
        break;
      case 'call':
        values.set(node, env.call(node.imm as string, args));
        break;
      case 'fault': {
        const packed = node.imm as number;
        return env.fault(packed >>> 16, packed & 0xffff);
      }
      case 'privilege':
        env.privilegeChanged();
        break;
      case 'branch.relative':
        env.branchRelative();
        return LEAVE;
      case 'branch':
        env.branch(args[0] as bigint);
        return LEAVE;
      default:
        values.set(node, opRow(node.op).evaluate(...args, node.imm));
    }
  }
  return undefined;
}
