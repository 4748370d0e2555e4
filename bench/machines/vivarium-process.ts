/**
 * A process that is one Vivarium machine, with the console on its standard streams. Its parent may
 * ask for the number of guest instructions so far.
 */
import { Machine, type MachineOptions } from '../../src/client/mod.ts';

const options = JSON.parse(process.argv[2] as string) as MachineOptions;
await using machine = await Machine.create({ ...options, noReboot: true });
process.on('message', async () => process.send?.((await machine.stats()).instructions));
process.on('disconnect', () => process.exit(1));
process.stdin.on('data', (bytes) => machine.console.write(bytes));
const isPrinted = (async () => {
  for await (const bytes of machine.console) process.stdout.write(bytes);
})();
await machine.start();
await machine.wait();
await isPrinted;
process.exit(0);
