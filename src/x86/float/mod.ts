export { approximate } from './approximate.ts';
export {
  add,
  type BinaryOperation,
  divide,
  fusedMultiplyAdd,
  multiply,
  squareRoot,
  subtract,
} from './arithmetic.ts';
export {
  compare,
  EQUAL,
  extremum,
  GREATER,
  LESS,
  predicateHolds,
  predicateSignals,
  UNORDERED,
} from './compare.ts';
export { convertFormat, fromInteger, roundToIntegral, toInteger } from './convert.ts';
export {
  FloatEnvironment,
  MXCSR_FZ,
  MXCSR_PE,
  MXCSR_PM,
  MXCSR_RC,
  MXCSR_RC_SHIFT,
  PRE_COMPUTATION,
  ROUND_ZERO,
} from './environment.ts';
export { FLOAT16, FLOAT32, FLOAT64, type Format } from './format.ts';
export {
  CONVERT_MMX,
  CONVERT_TRUNCATES,
  ELEMENT,
  ELEMENT_BITS,
  type ElementKind,
  FLOAT_OPERATION,
  type FloatOperation,
} from './operation.ts';
export { QuickArithmetic } from './quick.ts';
