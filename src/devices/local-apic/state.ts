/** What a snapshot keeps of a local APIC, and what makes it acceptable. */
import {
  boolean,
  type Checked,
  integer,
  list,
  record,
  refine,
  u8,
  u32,
  u64,
  words,
} from '../../state/mod.ts';
import { checkApicTimerState } from './apic-timer.ts';
import { BASE_ENABLED, BASE_X2APIC, LVT_COUNT, SVR_WRITABLE } from './registers.ts';

/** Vectors 0 to 15 can be neither requested nor in service. */
const vectors = refine(words(8), ([first]) => ((first ?? 0) & 0xffff) === 0, 'legal vectors');

export const checkLocalApicState = record({
  base: refine(
    u64,
    (base) =>
      base < 1n << 52n &&
      (base & 0x2ffn) === 0n &&
      (base & (BASE_ENABLED | BASE_X2APIC)) !== BASE_X2APIC,
    'a legal IA32_APIC_BASE',
  ),
  taskPriority: u8,
  logicalDestination: u32,
  destinationFormat: u32,
  spurious: integer(0, SVR_WRITABLE),
  errors: u8,
  errorStatus: u8,
  icrLow: u32,
  icrHigh: u32,
  lvt: list(integer(0, 0x7_ffff), LVT_COUNT),
  requested: vectors,
  inService: vectors,
  triggerMode: vectors,
  nmi: boolean,
  lint0: boolean,
  lint1: boolean,
  timer: checkApicTimerState,
});
export type LocalApicState = Checked<typeof checkLocalApicState>;
