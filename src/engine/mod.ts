export { ATTENTION, BaseVcpu } from './base-vcpu.ts';
export { CODE_CACHE_BYTES } from './code-cache.ts';
export type { CpuModel, FaultRecord, Vcpu, VcpuExit, VcpuHost, VcpuStats } from './engine.ts';
export { InterpVcpu } from './interp-vcpu.ts';
export { ReferenceVcpu } from './reference-vcpu.ts';
export { parseTrace, type TraceRequest } from './regions/trace.ts';
