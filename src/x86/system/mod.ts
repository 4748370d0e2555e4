import type { Helper } from '../cpu.ts';
import { controlHelpers } from './control-registers.ts';
import { debugHelpers } from './debug-registers.ts';
import { tableHelpers } from './descriptor-tables.ts';
import { farTransferHelpers } from './far-transfer.ts';
import { flagHelpers } from './flags.ts';
import { identificationHelpers } from './identification.ts';
import { interruptHelpers } from './interrupt.ts';
import { iretHelpers } from './iret.ts';
import { portHelpers } from './port-io.ts';
import { protectionKeyHelpers } from './protection-keys.ts';
import { segmentHelpers } from './segments.ts';
import { syscallHelpers } from './syscall.ts';
import { translationHelpers } from './translation.ts';

/** Every helper of the system instructions. */
export const systemHelpers: Readonly<Record<string, Helper>> = {
  ...controlHelpers,
  ...debugHelpers,
  ...farTransferHelpers,
  ...flagHelpers,
  ...identificationHelpers,
  ...interruptHelpers,
  ...iretHelpers,
  ...portHelpers,
  ...protectionKeyHelpers,
  ...segmentHelpers,
  ...syscallHelpers,
  ...tableHelpers,
  ...translationHelpers,
};

export {
  type EntryPoint,
  type EntryRegisters,
  type EntrySegment,
  type EntryState,
  enterBoot,
  enterLong64,
  enterProtected32,
} from './boot-state.ts';
export { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from './control-bits.ts';
export {
  type Delivery,
  deliver,
  deliverDebugTrap,
  deliverFault,
  deliverInterrupt,
  deliverNmi,
} from './deliver.ts';
export { ATTRIBUTE } from './descriptor.ts';
export type { CpuEvent, EventKind } from './event.ts';
export { readFlags, writeFlags } from './flags.ts';
export { timeStampCounter } from './identification.ts';
export { in64BitMode, inLongMode, inRealMode, inVirtual8086, isCanonical } from './mode.ts';
export { nmiBlocked } from './nmi.ts';
export { initByInterrupt, initialState, startUp } from './reset.ts';
