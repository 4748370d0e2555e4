/** Set Features and Get Features. NVM Express 1.4, sections 5.9 and 5.21. */
import { type Checked, list, u32 } from '../../state/mod.ts';
import { STATUS } from './spec.ts';

const FEATURE = {
  arbitration: 0x01,
  powerManagement: 0x02,
  temperatureThreshold: 0x04,
  errorRecovery: 0x05,
  volatileWriteCache: 0x06,
  queueCount: 0x07,
  interruptCoalescing: 0x08,
  interruptVector: 0x09,
  writeAtomicity: 0x0a,
  asyncEvents: 0x0b,
} as const;
const FIRST = FEATURE.arbitration;
const COUNT = FEATURE.asyncEvents - FIRST + 1;
const NOT_THERE = 0x03;
const TEMPERATURE_OVER = 343;

export const checkFeatures = list(u32, COUNT);
export type FeaturesState = Checked<typeof checkFeatures>;

export interface FeatureAnswer {
  readonly status: number;
  readonly result: number;
}

/** Values that a driver sets and reads back; only the write cache and the queues mean something here. */
export class Features {
  readonly #ioQueues: number;
  #values: number[] = [];

  constructor(ioQueues: number) {
    this.#ioQueues = ioQueues;
    this.reset();
  }

  /** False when the driver switched the write cache off: every write is durable at once. */
  get writeCache(): boolean {
    return (this.#value(FEATURE.volatileWriteCache) & 1) !== 0;
  }

  reset(): void {
    this.#values = new Array<number>(COUNT).fill(0);
    this.#values[FEATURE.volatileWriteCache - FIRST] = 1;
    this.#values[FEATURE.temperatureThreshold - FIRST] = TEMPERATURE_OVER;
    this.#values[FEATURE.queueCount - FIRST] = (this.#ioQueues - 1) * 0x1_0001;
  }

  /** @param select 0 current, 1 default, 2 saved, 3 capabilities */
  get(feature: number, select: number): FeatureAnswer {
    if (!isKnown(feature)) return { status: STATUS.invalidField, result: 0 };
    if (select === 3) return { status: STATUS.success, result: 1 << 2 }; // changeable
    if (select !== 0)
      return { status: STATUS.success, result: new Features(this.#ioQueues).#value(feature) };
    return { status: STATUS.success, result: this.#value(feature) };
  }

  set(feature: number, value: number, isToBeSaved: boolean): FeatureAnswer {
    if (!isKnown(feature)) return { status: STATUS.invalidField, result: 0 };
    if (isToBeSaved) return { status: STATUS.featureNotSaveable, result: 0 };
    if (feature === FEATURE.queueCount) {
      // Both halves count from zero; 0xffff is not allowed.
      if ((value & 0xffff) === 0xffff || value >>> 16 === 0xffff) {
        return { status: STATUS.invalidField, result: 0 };
      }
      return { status: STATUS.success, result: this.#value(feature) };
    }
    this.#values[feature - FIRST] = value;
    return { status: STATUS.success, result: 0 };
  }

  save(): FeaturesState {
    return [...this.#values];
  }

  load(state: FeaturesState): void {
    this.#values = [...state];
  }

  #value(feature: number): number {
    return this.#values[feature - FIRST] ?? 0;
  }
}

function isKnown(feature: number): boolean {
  return feature >= FIRST && feature < FIRST + COUNT && feature !== NOT_THERE;
}
