export { APIC_BROADCAST, ApicBus, type ApicMessage, type ApicReceiver } from './apic-bus.ts';
export { LocalApic, type LocalApicOptions } from './local-apic.ts';
export { APIC_DEFAULT_BASE } from './registers.ts';
export type { LocalApicState } from './state.ts';
