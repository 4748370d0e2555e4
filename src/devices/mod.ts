export { byteBank } from './byte-bank.ts';
export { fanOut, SharedLine } from './lines.ts';
export { Uart16550, type Uart16550Options, type Uart16550State } from './uart-16550.ts';
