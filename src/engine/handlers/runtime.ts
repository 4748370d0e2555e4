import {
  type FunctionCode,
  FunctionWriter,
  I32,
  I64,
  type ModuleWriter,
  VOID,
} from '../../wasm/mod.ts';
import { CS, SEGMENT, STATE } from '../../x86/mod.ts';
import type { RuntimeImports } from '../emit/body-emitter.ts';
import { storeFlagsBody } from '../flags/formula-emitter.ts';
import { EXIT, RECORD } from '../record.ts';
import { TLB } from '../tlb-layout.ts';
import { CHECK_PAGES, checkPagesBody } from './check-pages.ts';
import { emitDispatch, emitLinear, pushExecuteEntry } from './dispatch.ts';
import type { ModuleSurroundings } from './function-module.ts';
import { CPU, CURSOR, PC, type RuntimeFunctions, TLB_BASE } from './handler-emitter.ts';
import { LEAVE_REGION, leaveRegionBody } from './leave-region.ts';
import { regionTypes } from './region-types.ts';

/** Records that are no instructions. Their handlers have fixed places in the table. */
export const PSEUDO = {
  /** decoding ended here: continue at the record's start offset by lookup */
  next: 1,
  /** continue at the record in `link` */
  jump: 2,
  /** the code here was changed */
  stale: 3,
  /**
   * the next instruction crosses into the page whose frame is in `link`: check that it still does. `displacement` is
   * the upper half of a mask for linear addresses
   */
  crossing: 4,
  /** leaves at once; ends the one-instruction chains of single-stepping */
  stop: 5,
  /** no such instruction: #UD */
  undefined: 6,
  /** longer than 15 bytes: #GP(0) */
  tooLong: 7,
} as const;
/** Table index of the first instruction handler. */
export const FIRST_HANDLER = 16;
/** Table index of what writes the flag fields: (cpu, recipe i32, left i64, right i64, result i64). */
export const STORE_FLAGS = 8;
/** Table index of what goes on after a helper that did not simply return: (pc, cursor, cpu, tlb, status) → exit. */
export const AFTER_HELPER = 0;

/** Pages of WebAssembly's memory that a machine has at most: modules fit machines of any size. */
export const MOST_MEMORY_PAGES = 65_536;

/** Names and types of what the runtime imports from TypeScript. */
export interface HelperSignature {
  readonly params: readonly ('i32' | 'i64' | 'f32' | 'f64' | 'v128')[];
  /** effect helpers return an exit status (0: continue) */
  readonly result: 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
}

const CODES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Imports one helper; returns its function index. */
function importHelper(
  module: ModuleWriter,
  name: string,
  { params, result }: HelperSignature,
): number {
  const type = module.type(
    params.map((param) => CODES[param]),
    [CODES[result]],
  );
  return module.importFunction('helpers', name, type);
}

/** Imports helpers as they are asked for, by name. */
export function importsOnDemand(
  module: ModuleWriter,
  helpers: ReadonlyMap<string, HelperSignature>,
): (name: string) => number {
  const used = new Map<string, number>();
  return (name) => {
    const known = used.get(name);
    if (known !== undefined) return known;
    const signature = helpers.get(name);
    if (signature === undefined) throw new Error(`Vivarium internal error: no helper ${name}`);
    const index = importHelper(module, name, signature);
    used.set(name, index);
    return index;
  };
}

/** Starts a module whose functions run over the machine's memory and table. */
export function importRuntime(
  module: ModuleWriter,
  { shared, helpers }: ModuleSurroundings,
): RuntimeImports {
  const imports = importMachine(module, shared);
  const helper = importsOnDemand(module, helpers);
  for (const name of helpers.keys()) helper(name);
  return { ...imports, helper };
}

/** Imports the machine's memory, and the table of its handlers. */
export function importSpace(module: ModuleWriter, shared: boolean): void {
  module.importMemory('vm', 'memory', 1, MOST_MEMORY_PAGES, shared);
  module.importTable('vm', 'table', 1);
}

function importMachine(module: ModuleWriter, shared: boolean): Omit<RuntimeImports, 'helper'> {
  importSpace(module, shared);
  const slow = module.type([I32, I32, I32], [I32]);
  const loadSlow = module.importFunction('vm', 'loadSlow', slow);
  const updateSlow = module.importFunction('vm', 'updateSlow', slow);
  const storeSlow = module.importFunction('vm', 'storeSlow', slow);
  return { loadSlow, updateSlow, storeSlow };
}

/** Functions of the runtime that its module exports, by these names. */
const EXPORTED = ['leave', 'afterHelper', 'branchTo', 'branchAndLink'] as const;

/** Lets `importDefinedRuntime` have the runtime of this module. */
export function exportRuntime(module: ModuleWriter, functions: RuntimeFunctions): void {
  for (const name of EXPORTED) module.exportFunction(name, functions[name]);
}

/** Of the exports of the runtime's module, what modules by `importDefinedRuntime` import as `vm`. */
export function runtimeOf(exports: WebAssembly.Exports): WebAssembly.ModuleImports {
  return Object.fromEntries(
    EXPORTED.map((name) => [name, exports[name] as WebAssembly.ExportValue]),
  );
}

/** Starts a module of handlers beside the one that defines the runtime. Helpers are imported as they are asked for. */
export function importDefinedRuntime(
  module: ModuleWriter,
  { shared, helpers }: ModuleSurroundings,
): RuntimeFunctions {
  const imports = importMachine(module, shared);
  const { handlerType, exitType, branchType } = runtimeTypes(module);
  const leave = module.importFunction('vm', 'leave', exitType);
  const afterHelper = module.importFunction('vm', 'afterHelper', exitType);
  const branchTo = module.importFunction('vm', 'branchTo', branchType);
  const branchAndLink = module.importFunction('vm', 'branchAndLink', branchType);
  const helper = importsOnDemand(module, helpers);
  return { ...imports, helper, handlerType, leave, afterHelper, branchTo, branchAndLink };
}

function runtimeTypes(module: ModuleWriter) {
  return {
    handlerType: module.type([I32, I32, I32, I32], [I32]),
    exitType: module.type([I32, I32, I32, I32, I32], [I32]),
    branchType: module.type([I64, I32, I32, I32, I32], [I32]),
  };
}

/**
 * The fixed part of a handler module: leaving, branching, the pseudo-records. Declared in `module`; the
 * pseudo-record handlers are returned for the table.
 */
export function defineRuntime(
  module: ModuleWriter,
  imports: RuntimeImports,
): { functions: RuntimeFunctions; pseudo: Map<number, number>; enter: number } {
  const { handlerType, exitType, branchType } = runtimeTypes(module);
  const leave = module.declareFunction(exitType, 'leave');
  const dispatch = module.declareFunction(branchType, 'dispatch');
  const branchTo = module.declareFunction(branchType, 'branchTo');
  const branchAndLink = module.declareFunction(branchType, 'branchAndLink');
  const afterHelper = module.declareFunction(exitType, 'afterHelper');

  module.defineFunction(leave, leaveBody());
  module.defineFunction(dispatch, dispatchBody(handlerType));
  module.defineFunction(branchTo, branchToBody(dispatch));
  module.defineFunction(branchAndLink, branchAndLinkBody(branchTo));
  module.defineFunction(afterHelper, afterHelperBody(leave, dispatch));

  const types = regionTypes(module);
  const storeFlags = module.addFunction(types.storeFlags, storeFlagsBody(), 'storeFlags');
  const leaveRegion = (isWide: boolean): number =>
    module.addFunction(
      types.leaveRegion,
      leaveRegionBody(handlerType, isWide),
      isWide ? 'leaveRegion64' : 'leaveRegion32',
    );
  const checkPages = (isWide: boolean): number =>
    module.addFunction(
      types.checkPages,
      checkPagesBody(isWide),
      isWide ? 'checkPages64' : 'checkPages32',
    );
  const pseudo = new Map<number, number>([
    [AFTER_HELPER, afterHelper],
    [STORE_FLAGS, storeFlags],
    [LEAVE_REGION.wide, leaveRegion(true)],
    [LEAVE_REGION.narrow, leaveRegion(false)],
    [CHECK_PAGES.wide, checkPages(true)],
    [CHECK_PAGES.narrow, checkPages(false)],
  ]);
  const add = (index: number, name: string, f: FunctionWriter): void => {
    pseudo.set(index, module.addFunction(handlerType, f.finish(), name));
  };
  add(PSEUDO.next, 'next', nextBody(dispatch));
  add(PSEUDO.jump, 'jump', jumpBody(handlerType));
  add(
    PSEUDO.stale,
    'stale',
    new FunctionWriter(4)
      .get(PC)
      .get(CURSOR)
      .get(CPU)
      .get(TLB_BASE)
      .i32Const(EXIT.stale)
      .returnCall(leave),
  );
  add(PSEUDO.crossing, 'crossing', crossingBody(handlerType, leave));
  add(
    PSEUDO.stop,
    'stop',
    new FunctionWriter(4)
      .get(PC)
      .get(CURSOR)
      .get(CPU)
      .get(TLB_BASE)
      .i32Const(EXIT.stepped)
      .returnCall(leave),
  );

  add(PSEUDO.undefined, 'undefined', raiseBody(leave, 6));
  add(PSEUDO.tooLong, 'tooLong', raiseBody(leave, 13));

  const enterFunction = new FunctionWriter(4);
  enterFunction
    .get(PC)
    .get(CURSOR)
    .get(CPU)
    .get(TLB_BASE)
    .get(PC)
    .i32Load(RECORD.handler)
    .callIndirect(handlerType);
  const enter = module.addFunction(handlerType, enterFunction.finish(), 'enter');
  const functions: RuntimeFunctions = {
    ...imports,
    handlerType,
    leave,
    afterHelper,
    branchTo,
    branchAndLink,
  };
  return { functions, pseudo, enter };
}

/** (pc, cursor, cpu, tlb, exit): state.pc = pc; state.budget = cursor - pc. */
function leaveBody(): FunctionCode {
  const f = new FunctionWriter(5);
  f.get(CPU).get(PC).i32Store(STATE.pc);
  f.get(CPU).get(CURSOR).get(PC).i32Sub().i32Store(STATE.budget);
  return f.get(4).finish();
}

/**
 * (rip, pc, rest, cpu, tlb): finds the record of `rip` through the execute TLB and continues there with
 * `rest` of the budget; leaves with EXIT.lookup when there is none.
 */
function dispatchBody(handlerType: number): FunctionCode {
  const [rip, rest, cpu, tlb] = [0, 2, 3, 4] as const;
  const f = new FunctionWriter(5);
  emitDispatch(f, handlerType, rip, rest, cpu, tlb);
  return f.finish();
}

/** (rip, pc, cursor, cpu, tlb): charges the chain up to and with the record at pc, then dispatches. */
function branchToBody(dispatch: number): FunctionCode {
  const [rip, pc, cursor, cpu, tlb] = [0, 1, 2, 3, 4];
  const f = new FunctionWriter(5);
  const rest = f.local(I32);
  f.get(cursor).get(pc).i32Sub().i32Const(RECORD.bytes).i32Sub().tee(rest);
  f.get(cpu).i32Load(STATE.attention).i32Or().i32Const(0).op(0x48).if(VOID, false); // lt_s
  f.get(cpu).get(rip).i64Store(STATE.rip);
  f.get(cpu).get(rest).i32Store(STATE.budget);
  f.i32Const(EXIT.budget).return();
  f.end();
  f.get(rip).get(pc).get(rest).get(cpu).get(tlb).returnCall(dispatch);
  return f.finish();
}

/** As branchTo; when the target lies in the page of the branch and has a record, the branch is linked to it. */
function branchAndLinkBody(branchTo: number): FunctionCode {
  const [rip, pc, cursor, cpu, tlb] = [0, 1, 2, 3, 4];
  const f = new FunctionWriter(5);
  const offset = f.local(I64);
  const entry = f.local(I32);
  f.get(rip).get(cpu).i64Load(STATE.ripBase).op(0x7d).tee(offset).i64Const(4096n).op(0x54).if();
  // The page being executed is usually in the execute TLB; if not, the link waits for the next time.
  const linear = f.local(I64);
  emitLinear(f, rip, cpu, linear);
  pushExecuteEntry(f, linear, tlb);
  f.tee(entry);
  f.i64Load(TLB.execute).get(linear).op(0x85).i64Const(4096n).op(0x54).if();
  f.get(pc);
  f.get(entry).i32Load(TLB.execute + TLB.executeMap);
  f.get(offset).wrap().i32Const(2).op(0x74).i32Add().i32Load(0);
  f.i32Store(RECORD.link);
  f.end();
  f.end();
  f.get(rip).get(pc).get(cursor).get(cpu).get(tlb).returnCall(branchTo);
  return f.finish();
}

/** (pc, cursor, cpu, tlb, status). */
function afterHelperBody(leave: number, dispatch: number): FunctionCode {
  const status = 4;
  const f = new FunctionWriter(5);
  const rest = f.local(I32);
  f.get(status).i32Const(EXIT.fault).op(0x46).if();
  f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).get(status).returnCall(leave);
  f.end();
  f.get(CURSOR).get(PC).i32Sub().i32Const(RECORD.bytes).i32Sub().set(rest);
  f.get(CPU).get(rest).i32Store(STATE.budget);
  f.get(status).i32Const(EXIT.redirect).op(0x47).if();
  f.get(status).return();
  f.end();
  f.get(rest).get(CPU).i32Load(STATE.attention).i32Or().i32Const(0).op(0x48).if(VOID, false);
  f.i32Const(EXIT.budget).return();
  f.end();
  f.get(CPU)
    .i64Load(STATE.rip)
    .get(PC)
    .get(rest)
    .get(CPU)
    .get(CPU)
    .i32Load(STATE.tlb)
    .returnCall(dispatch);
  return f.finish();
}

/** Decoding stopped here: dispatch to ripBase + start. The record itself is not charged. */
function nextBody(dispatch: number): FunctionWriter {
  const f = new FunctionWriter(4);
  f.get(CPU).i64Load(STATE.ripBase).get(PC).memory([0x33], RECORD.start).i64Add();
  f.get(PC).get(CURSOR).get(PC).i32Sub().get(CPU).get(TLB_BASE).returnCall(dispatch);
  return f;
}

function jumpBody(handlerType: number): FunctionWriter {
  const f = new FunctionWriter(4);
  const link = f.local(I32);
  f.get(PC).i32Load(RECORD.link).tee(link);
  f.get(CURSOR).get(PC).i32Sub().get(link).i32Add();
  f.get(CPU).get(TLB_BASE).get(link).i32Load(RECORD.handler).returnCallIndirect(handlerType);
  return f;
}

/** Continues when the execute TLB still maps the next page to the frame in `link`. */
function crossingBody(handlerType: number, leave: number): FunctionWriter {
  const f = new FunctionWriter(4);
  const linear = f.local(I64);
  const entry = f.local(I32);
  f.get(CPU).i64Load(STATE.ripBase).i64Const(4096n).i64Add();
  f.get(CPU)
    .i64Load(STATE.segments + CS * SEGMENT.bytes + SEGMENT.base)
    .i64Add();
  // Outside 64-bit mode the page behind the last one is the first.
  f.get(PC).memory([0x34], RECORD.displacement); // i64.load32_s
  f.i64Const(0xffff_ffffn).op(0x84).op(0x83).set(linear);
  pushExecuteEntry(f, linear, TLB_BASE);
  f.tee(entry);
  f.i64Load(TLB.execute).get(linear).op(0x51); // equal: the address is page-aligned
  f.get(entry)
    .i32Load(TLB.execute + TLB.executeFrame)
    .get(PC)
    .i32Load(RECORD.link)
    .op(0x46)
    .i32And()
    .if(VOID, true);
  f.get(PC).i32Const(RECORD.bytes).i32Add();
  f.get(CURSOR).i32Const(RECORD.bytes).i32Add().get(CPU).get(TLB_BASE);
  f.get(PC)
    .i32Load(RECORD.bytes + RECORD.handler)
    .returnCallIndirect(handlerType);
  f.end();
  f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).i32Const(EXIT.stale).returnCall(leave);
  return f;
}

/** Raises an exception with error code 0. */
function raiseBody(leave: number, vector: number): FunctionWriter {
  const f = new FunctionWriter(4);
  f.get(CPU).i32Const(vector).i32Store(STATE.faultVector);
  f.get(CPU).i32Const(0).i32Store(STATE.faultErrorCode);
  f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).i32Const(EXIT.fault).returnCall(leave);
  return f;
}
