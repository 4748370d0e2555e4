import { parentPort } from 'node:worker_threads';
import { instructions } from '../../src/x86/mod.ts';
import { type EngineName, EngineProcessor } from './engine-processor.ts';
import { describeFailure, hunt } from './hunt.ts';
import { skipReason } from './knowledge.ts';
import { NativeProcessor } from './native-processor.ts';
import { generateRawCase } from './raw.ts';
import type { Errand, Report } from './rota.ts';
import { templatesOf } from './templates.ts';

const native = NativeProcessor.open();
if (typeof native === 'string') throw new Error(native);
const all = templatesOf(instructions);
const usable = {
  32: all.filter((each) => skipReason(each, native.features, 32) === undefined),
  64: all.filter((each) => skipReason(each, native.features, 64) === undefined),
};
const processors = new Map<EngineName, EngineProcessor>();

parentPort?.on('message', (errand: Errand) => {
  const { engine, bits, raw, cases, seed } = errand;
  const processor = processors.get(engine) ?? new EngineProcessor(engine);
  processors.set(engine, processor);
  const templates = usable[bits];
  const make = (number: number) => generateRawCase(seed, number, native.features, bits);
  const { different, unsteady, failures } = hunt({
    ...{ native, processor, seed, from: 0, count: cases, bits, templates, company: templates },
    ...(raw ? { make } : {}),
  });
  const texts = failures.slice(0, 10).map((each) => describeFailure(each, seed));
  parentPort?.postMessage({ errand, different, unsteady, failures: texts } satisfies Report);
});
