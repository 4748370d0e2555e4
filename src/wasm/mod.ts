export { ByteWriter } from './bytes.ts';
export {
  F32,
  F64,
  FUNCREF,
  type FunctionCode,
  FunctionWriter,
  I32,
  I64,
  V128,
  type ValueType,
  VOID,
} from './function.ts';
export { type FunctionType, ModuleWriter } from './module.ts';
export { moveOwnValue, setOwnValue } from './own-value.ts';
