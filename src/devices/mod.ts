export { byteBank } from './byte-bank.ts';
export { fanOut, SharedLine } from './lines.ts';
export {
  APIC_BROADCAST,
  APIC_DEFAULT_BASE,
  ApicBus,
  type ApicMessage,
  type ApicReceiver,
  LocalApic,
  type LocalApicOptions,
  type LocalApicState,
} from './local-apic/mod.ts';
export { Uart16550, type Uart16550Options, type Uart16550State } from './uart-16550.ts';
