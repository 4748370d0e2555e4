export { ATTENTION, BaseVcpu } from './base-vcpu.ts';
export type { CpuModel, FaultRecord, Vcpu, VcpuExit, VcpuHost, VcpuStats } from './engine.ts';
export type { ModuleSurroundings } from './handlers/function-module.ts';
export {
  buildHandlerModule,
  handlerShape,
  type KeptHandlers,
} from './handlers/handler-module.ts';
export { InterpVcpu } from './interp-vcpu.ts';
export { ENGINE_POOL_BYTES } from './pool-bytes.ts';
export { ReferenceVcpu } from './reference-vcpu.ts';
export type { KeptBatch, KeptRegion } from './regions/archive.ts';
export type { BatchCompiler } from './regions/batches.ts';
export type { RegionJob } from './regions/job.ts';
export { EAGER_POLICY } from './regions/region-cache.ts';
export type { TablePlace } from './regions/region-table.ts';
export { parseTrace, type TraceRequest } from './regions/trace.ts';
export {
  RegionCompiler,
  type RegionProduct,
  type RegionWorkshop,
  type WorkshopPlace,
} from './regions/workshop.ts';
