export { accessType, Builder, decodeLoad, type LoadKind, type Local } from './builder.ts';
export { type Environment, evaluate } from './evaluate.ts';
export { type Datum, type OpRow, opRow, ops } from './ops.ts';
export { type PrintOptions, printBody, printNode } from './print.ts';
export type {
  Access,
  Block,
  Body,
  FieldRef,
  Immediate,
  MemoryWidth,
  Node,
  Parameter,
  Slot,
  Type,
  Value,
} from './types.ts';
export { type HelperTraits, problemsOf, type VerifyOptions, verifyBody } from './verify.ts';
