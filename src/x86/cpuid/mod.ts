export {
  type CpuidResult,
  CpuModel,
  type CpuModelOptions,
  FAMILY_MODEL_STEPPING,
  KVM_FEATURE,
} from './cpu-model.ts';
export { canonicalFeature, FEATURE_BITS } from './features.ts';
export { DEFAULT_CPU, LEVELS, parseCpu } from './levels.ts';
